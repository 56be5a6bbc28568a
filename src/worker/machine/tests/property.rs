//! Any order of events: each call has one end, and a dead worker is left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use dirtyd_client::proto::worker::{
    AppFailed, AppImported, End, Error, Pong, arbiter_frame as arbiter, worker_frame::Kind,
};
use proptest::prelude::*;

use super::rig::{APP, Caller, Outcome, Rig, chunk, hello, pool, ready, response};
use crate::{
    call::{CallId, EndedBy, StreamItem, reply_channel, stream_channel},
    clock::Deadline,
    worker::{
        Control, Death, Report,
        machine::{Event, tests::rig::WINDOW},
    },
};

/// One thing that happens around a worker.
#[derive(Debug, Clone)]
enum Op {
    Start {
        stream: bool,
        deadline: Option<u16>,
    },
    Cancel(u64),
    /// The caller is gone, but its cancel has not come yet.
    Leave(u64),
    Read(u64),
    Credit(u64),
    Load(u8),
    Import,
    Drain,
    Kill,
    Frame(FrameOp),
    Written(u8),
    Closed {
        within_frame: bool,
    },
    Fault,
    Exited {
        begun: u8,
        written: u8,
    },
    Wait(u16),
}

#[derive(Debug, Clone)]
enum FrameOp {
    Hello(u32, u32),
    Response(u64),
    Chunk(u64, u8),
    End(u64),
    Error(u64),
    Pong,
    Ready,
    Imported,
    Failed,
    Unknown,
    /// A frame that fits no call, many times.
    Flood(u16),
}

fn frame() -> impl Strategy<Value = FrameOp> {
    let call = 1..10_u64;
    prop_oneof![
        1 => (0..4_u32, 0..4_u32).prop_map(|(lowest, latest)| FrameOp::Hello(lowest, latest)),
        6 => call.clone().prop_map(FrameOp::Response),
        12 => (call.clone(), 0..60_u8).prop_map(|(call, size)| FrameOp::Chunk(call, size)),
        4 => call.clone().prop_map(FrameOp::End),
        3 => call.prop_map(FrameOp::Error),
        3 => Just(FrameOp::Pong),
        2 => Just(FrameOp::Ready),
        1 => Just(FrameOp::Imported),
        1 => Just(FrameOp::Failed),
        1 => Just(FrameOp::Unknown),
        1 => (0..1500_u16).prop_map(FrameOp::Flood),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let call = 1..10_u64;
    let deadline = proptest::option::of(0..20_000_u16);
    prop_oneof![
        12 => (any::<bool>(), deadline).prop_map(|(stream, deadline)| Op::Start { stream, deadline }),
        4 => call.clone().prop_map(Op::Cancel),
        2 => call.clone().prop_map(Op::Leave),
        6 => call.clone().prop_map(Op::Read),
        3 => call.prop_map(Op::Credit),
        2 => (0..3_u8).prop_map(Op::Load),
        1 => Just(Op::Import),
        1 => Just(Op::Drain),
        1 => Just(Op::Kill),
        30 => frame().prop_map(Op::Frame),
        6 => any::<u8>().prop_map(Op::Written),
        1 => any::<bool>().prop_map(|within_frame| Op::Closed { within_frame }),
        1 => Just(Op::Fault),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(begun, written)| Op::Exited { begun, written }),
        12 => (0..15_000_u16).prop_map(Op::Wait),
    ]
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
}

impl Story {
    fn new(serving: bool) -> Self {
        let rig = if serving { Rig::serving(2) } else { Rig::started() };
        let (gone, begun, killed) = (BTreeSet::new(), BTreeSet::new(), false);
        Self { rig, started: 0, written: 0, gone, begun, killed, ended: false, buried: false }
    }

    /// Hands on an event, and looks at what is done.
    fn on(&mut self, event: Event) {
        let was_buried = self.rig.machine.is_buried();
        let draining = matches!(event, Event::Told(Control::Drain));
        let was_open = self.rig.machine.reads() && !self.ended;
        let done = self.rig.on(event);
        assert!(!was_buried || done.is_empty(), "{done:?} after the burial");
        for what in done {
            match what {
                "send" => assert!(!self.killed && !self.ended, "a dead worker gets a frame"),
                "stacks" => assert!(!self.killed && !self.ended, "a dead worker gets a signal"),
                "kill" => {
                    assert!(!self.killed && !self.ended, "it is killed once, and only alive");
                    self.killed = true;
                    let overdue = self.rig.was_killed("within graceful_timeout");
                    assert!(!overdue || self.was_asked(), "it was not asked to close");
                }
                "died" => {
                    assert!(self.ended && !self.buried, "it dies once, at its end");
                    self.buried = true;
                }
                _ => assert!(!self.buried, "{what} after Died"),
            }
        }
        assert!(!draining || !was_open || self.was_asked(), "a drain asks first");
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
            assert!(!self.rig.machine.due().is_over(self.rig.now), "an alarm leaves nothing due");
        }
        self.rig.now = until;
    }

    fn start(&mut self, stream: bool, deadline: Option<u16>) {
        self.started += 1;
        let id = self.started;
        let (reply, caller) = if stream {
            let (reply, chunks) = stream_channel(WINDOW.chunks);
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
            FrameOp::Ready => ready(),
            FrameOp::Imported => Kind::AppImported(AppImported { app, workers: Some(1) }),
            FrameOp::Failed => Kind::AppFailed(AppFailed { app, failure: None }),
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
        let rig = &mut self.rig;
        let done = rig.on(Event::Exited { ended, begun, written });
        assert!(done.is_empty(), "{done:?}: what is left in the socket comes first");
    }

    /// The end of the story, and the reckoning.
    fn close(mut self) -> Result<(), TestCaseError> {
        if !self.ended {
            self.exit(self.rig.requests);
        }
        if !self.rig.machine.is_buried() {
            self.on(Event::Closed { within_frame: false });
        }
        prop_assert!(self.buried, "it is dead");
        prop_assert!(self.rig.machine.due() == Deadline::Never || !self.rig.machine.reads());
        let mut ends = BTreeMap::new();
        let mut unstarted = BTreeMap::new();
        for report in std::mem::take(&mut self.rig.reports) {
            let (finished, death) = match report {
                Report::Finished(end) => (Some(end), None),
                Report::Died(Death { lost, unstarted, .. }) => (None, Some((lost, unstarted))),
                _ => continue,
            };
            let (lost, given_back) = death.unwrap_or_default();
            prop_assert!(lost.iter().all(|end| !end.served));
            for end in finished.into_iter().chain(lost) {
                prop_assert!(end.started <= end.ended);
                prop_assert!(end.first_chunk.is_none_or(|at| end.started <= at && at <= end.ended));
                prop_assert!(ends.insert(end.call.0, end.served).is_none(), "ended twice");
            }
            for call in given_back {
                let id = call.id.0;
                prop_assert!(!self.gone.contains(&id), "nobody waits for call {id}");
                prop_assert!(!call.reply.is_closed() && unstarted.insert(id, call).is_none());
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
            prop_assert!(good, "call {id}: {outcome:?}");
        }
        Ok(())
    }

    /// How a call was answered.
    fn answers(&mut self, id: u64) -> Result<Answered, TestCaseError> {
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
                    prop_assert_eq!(last, Answered::No, "something comes after the end");
                    match item {
                        StreamItem::Chunk(_) => begun = true,
                        StreamItem::End => last = Answered::Once { good: true },
                        StreamItem::Failed(..) => last = Answered::Once { good: false },
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn each_call_has_one_end_and_a_dead_worker_is_left_alone(
        serving in any::<bool>(),
        ops in proptest::collection::vec(op(), 0..120),
    ) {
        let mut story = Story::new(serving);
        for op in ops {
            story.apply(op);
        }
        story.close()?;
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
