//! One worker's machine in a simulated world: what the pool tells it, what its
//! callers do, what its process sends (sane or not), how far its socket takes what
//! is sent, and when it ends, in any order, drawn by a seed.
//!
//! After every step it must hold that a dead worker is left alone and that who is
//! drained was asked to close first; in the end, that each call has one outcome,
//! or is given back untouched to whoever waits for it still.

mod op;
pub mod rig;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use dirtyd_client::proto::worker::{
    AppFailed, AppImported, End, Error, Metrics, Pong, Stacks, arbiter_frame as arbiter,
    worker_frame::Kind,
};
use fastrand::Rng;

use self::op::{FrameOp, Op};
use self::rig::{APP, Caller, Outcome, Rig, WINDOW, chunk, hello, ready, response};
use super::Event;
use crate::{
    call::{CallId, EndedBy, Hold, StreamItem, reply_channel, stream_channel},
    clock::Deadline,
    worker::{Control, Report},
};

/// The most that happens in one story.
const LONGEST: usize = 120;

/// Plays the story of a seed. Returns the number of events that the machine took.
///
/// # Errors
/// A promise was broken: the smallest plan that breaks it, told.
pub fn story(seed: u64) -> Result<u64, Box<Failure>> {
    let plan = Plan::draw(seed);
    match plan.play() {
        Ok(events) => Ok(events),
        Err(_) => Err(Box::new(Failure::tell(seed, plan))),
    }
}

/// What happens, in order.
#[derive(Debug, Clone)]
struct Plan {
    /// Whether the worker has booted before the first of it.
    serving: bool,
    ops: Vec<Op>,
}

impl Plan {
    fn draw(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let serving = random.bool();
        let count = random.usize(0..LONGEST);
        Self { serving, ops: (0..count).map(|_| Op::draw(&mut random)).collect() }
    }

    fn play(&self) -> Result<u64, String> {
        let mut story = Story::new(self.serving);
        for op in &self.ops {
            story.apply(op.clone());
            if let Some(broken) = story.broken {
                return Err(broken);
            }
        }
        story.close()
    }

    /// Takes steps out as long as a promise is broken.
    fn smallest(mut self) -> Self {
        let mut size = self.ops.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.ops.len() {
                let mut smaller = self.clone();
                smaller.ops.drain(at..(at + size).min(self.ops.len()));
                match smaller.play() {
                    Err(_) => self = smaller,
                    Ok(_) => at += size,
                }
            }
            size /= 2;
        }
        self
    }
}

/// A seed that broke a promise, with the smallest plan that still breaks one.
#[derive(Debug)]
pub struct Failure {
    seed: u64,
    steps: usize,
    plan: Plan,
    broken: String,
}

impl Failure {
    fn tell(seed: u64, plan: Plan) -> Self {
        let steps = plan.ops.len();
        let plan = plan.smallest();
        let broken = plan.play().err().unwrap_or_else(|| "the same seed made another story".into());
        Self { seed, steps, plan, broken }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = if self.plan.serving { "serves" } else { "has just started" };
        writeln!(f, "seed {}: a worker broke a promise", self.seed)?;
        writeln!(
            f,
            "  {} of {} steps are enough for it; it {begin}:",
            self.plan.ops.len(),
            self.steps
        )?;
        for op in &self.plan.ops {
            writeln!(f, "  {op:?}")?;
        }
        write!(f, "  broken: {}", self.broken)
    }
}

/// What must be true of a life so far.
struct Story {
    rig: Rig,
    started: u64,
    written: u64,
    /// Whom nobody waits for.
    gone: BTreeSet<u64>,
    /// The streams of which a chunk was read.
    begun: BTreeSet<u64>,
    killed: bool,
    ended: bool,
    buried: bool,
    events: u64,
    /// The first promise that was broken.
    broken: Option<String>,
}

impl Story {
    fn new(serving: bool) -> Self {
        let rig = if serving { Rig::serving(2) } else { Rig::started() };
        let (gone, begun, killed) = (BTreeSet::new(), BTreeSet::new(), false);
        Self {
            rig,
            started: 0,
            written: 0,
            gone,
            begun,
            killed,
            ended: false,
            buried: false,
            events: 0,
            broken: None,
        }
    }

    fn must(&mut self, holds: bool, promise: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(promise());
        }
    }

    /// Hands on an event, and looks at what is done.
    fn on(&mut self, event: Event) {
        let was_buried = self.rig.machine.is_buried();
        let draining = matches!(event, Event::Told(Control::Drain));
        let was_open = self.rig.machine.reads() && !self.ended;
        let done = self.rig.on(event);
        self.events += 1;
        self.must(!was_buried || done.is_empty(), || format!("{done:?} after the burial"));
        for what in done {
            let is_alive = !self.killed && !self.ended;
            match what {
                "send" => self.must(is_alive, || "a dead worker gets a frame".to_owned()),
                "stacks" => self.must(is_alive, || "a dead worker gets a signal".to_owned()),
                "kill" => {
                    self.must(is_alive, || "it is killed twice, or after its end".to_owned());
                    self.killed = true;
                    let overdue = self.rig.was_killed("within graceful_timeout");
                    let asked = self.was_asked();
                    self.must(!overdue || asked, || "it was not asked to close".to_owned());
                }
                "died" => {
                    let once = self.ended && !self.buried;
                    self.must(once, || "it dies twice, or before its end".to_owned());
                    self.buried = true;
                }
                _ => {
                    let before = !self.buried;
                    self.must(before, || format!("{what} after Died"));
                }
            }
        }
        let asked = !draining || !was_open || self.was_asked();
        self.must(asked, || "a drain does not ask first".to_owned());
    }

    fn was_asked(&self) -> bool {
        self.rig.sent.iter().any(|kind| matches!(kind, arbiter::Kind::Shutdown(_)))
    }

    fn tell(&mut self, control: Control) {
        self.on(Event::Told(control));
    }

    fn apply(&mut self, op: Op) {
        if self.buried {
            return; // its channel is closed, and its socket is not read
        }
        match op {
            Op::Start { stream, deadline } => self.start(stream, deadline),
            Op::Cancel(id) if self.rig.callers.contains_key(&id) => {
                self.leave(id);
                self.tell(Control::Cancel(CallId(id)));
            }
            Op::Cancel(id) => self.tell(Control::Cancel(CallId(id))),
            Op::CancelByOperator(id) => self.tell(Control::CancelByOperator(CallId(id))),
            Op::GetStacks => self.tell(Control::GetStacks(tokio::sync::oneshot::channel().0)),
            Op::Leave(id) => self.leave(id),
            Op::Read(id) => {
                // What ends the stream stays for the reckoning.
                if let Some(Caller::Stream(chunks, _)) = self.rig.callers.get(&id)
                    && chunks.len() > 1
                {
                    self.rig.next(id);
                    self.begun.insert(id);
                }
            }
            Op::Credit(id) => {
                if let Some(Caller::Stream(_, credit)) = self.rig.callers.get_mut(&id) {
                    let credit = std::mem::take(credit);
                    self.tell(Control::Credit(CallId(id), credit));
                }
            }
            Op::Load(apps) => self.tell(Control::Load(vec![APP.to_owned(); apps.into()])),
            Op::Import => self.tell(Control::Import(vec![APP.to_owned()])),
            Op::Drain => self.tell(Control::Drain),
            Op::EndStreams(after) => {
                let at = self.rig.now + Duration::from_millis(after.into());
                self.tell(Control::EndStreams(at));
            }
            Op::Kill => self.tell(Control::Kill("the test says so".to_owned())),
            Op::Frame(frame) if self.rig.machine.reads() => self.frame(frame),
            Op::Frame(_) => {}
            Op::Written(more) if !self.ended => {
                self.written = self.rig.requests.min(self.written + u64::from(more % 3));
                self.on(Event::Written(self.written));
            }
            Op::Written(_) => {}
            Op::Closed { within_frame } => self.on(Event::Closed { within_frame }),
            Op::Fault => self.on(Event::Fault("it broke".to_owned())),
            Op::Exited { begun, written } if !self.ended => {
                self.written = self.rig.requests.min(self.written + u64::from(written % 3));
                let begun = self.rig.requests.min(self.written + u64::from(begun % 2));
                self.exit(begun);
            }
            Op::Exited { .. } => {}
            Op::Wait(millis) => self.wait(Duration::from_millis(millis.into())),
        }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.rig.now + time;
        while let Some(due) = self.rig.machine.due().instant().filter(|due| *due <= until) {
            self.rig.now = self.rig.now.max(due);
            self.on(Event::Alarm);
            let is_done = !self.rig.machine.due().is_over(self.rig.now);
            self.must(is_done, || "an alarm leaves something due".to_owned());
            if self.broken.is_some() {
                return; // it might go on for ever
            }
        }
        self.rig.now = until;
    }

    fn start(&mut self, stream: bool, deadline: Option<u16>) {
        self.started += 1;
        let id = self.started;
        let (reply, caller) = if stream {
            let (reply, chunks) = stream_channel(WINDOW.chunks, Hold::nothing());
            (reply, Caller::Stream(chunks, Default::default()))
        } else {
            let (reply, answer) = reply_channel();
            (reply, Caller::Unary(answer))
        };
        let after =
            |millis: u16| Deadline::after(self.rig.now, Duration::from_millis(millis.into()));
        let call = self.rig.call(id, reply, deadline.map_or(Deadline::Never, after));
        self.rig.callers.insert(id, caller);
        self.tell(Control::Start(call));
    }

    fn leave(&mut self, id: u64) {
        if let Some(caller) = self.rig.callers.get_mut(&id) {
            *caller = Caller::Gone;
            self.gone.insert(id);
        }
    }

    fn frame(&mut self, frame: FrameOp) {
        let app = APP.to_owned();
        let kind = match frame {
            FrameOp::Hello(lowest, latest) => hello(lowest, latest),
            FrameOp::Response(call) => response(call),
            FrameOp::Chunk(call, size) => chunk(call, size.into()),
            FrameOp::End(call) => Kind::End(End { call_id: call }),
            FrameOp::Error(call) => Kind::Error(Error { call_id: call, ..Error::default() }),
            FrameOp::Pong => Kind::Pong(Pong { nonce: 1 }),
            FrameOp::Stacks(nonce) => Kind::Stacks(Stacks { nonce, ..Stacks::default() }),
            FrameOp::Metrics => Kind::Metrics(Metrics::default()),
            FrameOp::Ready => ready(),
            FrameOp::Imported => Kind::AppImported(AppImported { app, workers: Some(1) }),
            FrameOp::Failed => Kind::AppFailed(AppFailed { app, ..AppFailed::default() }),
            FrameOp::Unknown => return self.on(Event::Frame(None)),
            FrameOp::Flood(times) => {
                for _ in 0..times {
                    if self.rig.machine.reads() {
                        self.on(Event::Frame(Some(response(1000))));
                    }
                }
                return;
            }
        };
        self.on(Event::Frame(Some(kind)));
    }

    fn exit(&mut self, begun: u64) {
        self.ended = true;
        let (ended, written) = (EndedBy::Exit(3), self.written);
        let done = self.rig.on(Event::Exited { ended, begun, written });
        self.must(done.is_empty(), || format!("{done:?}: what is left in the socket comes first"));
    }

    /// The end of the story, and the reckoning.
    fn close(mut self) -> Result<u64, String> {
        if !self.ended {
            self.exit(self.rig.requests);
        }
        if !self.rig.machine.is_buried() {
            self.on(Event::Closed { within_frame: false });
        }
        let (buried, reads) = (self.buried, self.rig.machine.reads());
        self.must(buried, || "it is not dead in the end".to_owned());
        let is_quiet = self.rig.machine.due() == Deadline::Never || !reads;
        self.must(is_quiet, || "something is due after its end".to_owned());
        let mut ends = BTreeMap::new();
        let mut unstarted = BTreeMap::new();
        for report in std::mem::take(&mut self.rig.reports) {
            let (finished, death) = match report {
                Report::Finished(end) => (Some(end), None),
                Report::Died(death) => (None, Some((death.lost, death.unstarted))),
                _ => continue,
            };
            let (lost, given_back) = death.unwrap_or_default();
            let none = lost.iter().all(|end| !end.served);
            self.must(none, || "a lost call counts as served".to_owned());
            for end in finished.into_iter().chain(lost) {
                let chunk = end.first_chunk.unwrap_or(end.started);
                let in_order = end.started <= chunk && chunk <= end.ended;
                self.must(in_order, || format!("the times of call {} are in no order", end.call));
                let once = ends.insert(end.call.0, end.served).is_none();
                self.must(once, || format!("call {} ends twice", end.call));
            }
            for call in given_back {
                let id = call.id.0;
                let is_awaited = !self.gone.contains(&id);
                let once = !call.reply.is_closed() && unstarted.insert(id, call).is_none();
                self.must(is_awaited && once, || {
                    format!("call {id} is given back twice, or to nobody")
                });
            }
        }
        for id in 1..=self.started {
            let answered = self.answers(id)?;
            let outcome = (ends.get(&id).copied(), unstarted.contains_key(&id), answered);
            let good = match outcome {
                (Some(served), false, Answered::Once { good }) => !served || good,
                (Some(_), false, Answered::Unknown) => true, // nobody looked
                (None, true, Answered::No) => true,
                _ => false,
            };
            self.must(good, || format!("call {id}: {outcome:?}"));
        }
        match self.broken {
            None => Ok(self.events),
            Some(broken) => Err(broken),
        }
    }

    /// How a call was answered.
    fn answers(&mut self, id: u64) -> Result<Answered, String> {
        let answered = match self.rig.callers.get_mut(&id) {
            None | Some(Caller::Gone) => Answered::Unknown,
            Some(Caller::Unary(answer)) => match answer.try_recv() {
                Ok(outcome) => Answered::Once { good: Outcome::is_ok(&outcome) },
                Err(tokio::sync::oneshot::error::TryRecvError::Empty) => Answered::No,
                Err(tokio::sync::oneshot::error::TryRecvError::Closed) => Answered::Lost,
            },
            Some(Caller::Stream(..)) => {
                let (mut last, mut begun) = (Answered::No, self.begun.contains(&id));
                while let Some(item) = self.rig.next(id) {
                    if last != Answered::No {
                        return Err(format!("call {id}: something comes after the end"));
                    }
                    match item {
                        StreamItem::Chunk(_) => begun = true,
                        StreamItem::End => last = Answered::Once { good: true },
                        StreamItem::Failed(..) | StreamItem::NoRoom => {
                            last = Answered::Once { good: false };
                        }
                    }
                }
                if begun && last == Answered::No { Answered::Begun } else { last }
            }
        };
        Ok(answered)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    /// Its way back is still open.
    No,
    Once {
        good: bool,
    },
    /// Its way back is still open, and has seen a chunk.
    Begun,
    /// Its way back was dropped.
    Lost,
    /// Its caller is gone.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::{Event, Story, rig::pool, story};

    /// Some hundred stories with each run of the unit tests; `make sim` plays as
    /// many as one likes.
    #[test]
    fn no_story_breaks_a_promise() {
        for seed in 0..500 {
            if let Err(failure) = story(seed) {
                panic!("{failure}");
            }
        }
    }

    #[test]
    fn the_longest_silence_leads_to_an_end() {
        let mut story = Story::new(false);
        story.wait(pool().boot_timeout * 2);
        assert!(story.killed);
        story.exit(0);
        story.on(Event::Closed { within_frame: false });
        assert!(story.buried && story.rig.callers.is_empty());
    }
}
