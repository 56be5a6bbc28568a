//! One call in its slot: what was asked, the way to its caller, its clocks.
//!
//! The caller's answer has a clock of its own: when the deadline passes, the
//! caller is answered and the call is *abandoned*. It keeps its slot until the
//! work has really ended, and only the timeout of its app sends it up the
//! [`Ladder`].

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use prost::Message as _;

use super::{
    flow::Flow,
    ladder::{Climb, Ladder},
};
use dirtyd_client::proto::{
    v1::ExecuteRequest,
    worker::{self, Request},
};

use crate::{
    call::{
        Call, CallId, CallRequest, CallView, Credit, MOST_DEATHS, PlaceView, Reply, Sink, WorkerRef,
    },
    clock::Deadline,
    config::Window,
    worker::End,
};

/// What is due for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Answer the caller: its own deadline passed.
    CallerDeadline,
    /// Answer the caller: the app's timeout passed since the call arrived.
    Timeout,
    /// Answer the caller: it read nothing for the whole timeout.
    ReaderStalled,
    /// Answer the caller: the worker is to leave, and the stream has had its time.
    CutOff,
    /// Raise in the action (and answer the caller, if it still waits).
    Raise,
    /// Log the worker's stacks.
    DumpStacks,
    /// Kill the worker.
    Kill,
}

/// What becomes of a call whose worker has died.
#[derive(Debug)]
pub enum Remains {
    /// Another worker may start it.
    Unstarted(Call),
    /// It may have run, or nobody waits for it. Its caller, if there is one, is
    /// still to be answered.
    Lost(Option<Reply>, End),
    /// As [`Lost`](Self::Lost), although no worker has started it: too many have
    /// died while it was being sent to them.
    Deadly {
        /// The way to its caller.
        reply: Reply,
        /// Its times.
        end: End,
        /// Its app.
        app: String,
        /// The number of workers that have died.
        deaths: u32,
    },
}

/// A call in its slot.
#[derive(Debug)]
pub struct Slot {
    /// The call.
    pub id: CallId,
    /// What was asked. The payload is given up once it is written.
    pub request: Box<CallRequest>,
    /// The app's timeout.
    pub timeout: Duration,
    /// The number of its request among those of the worker, from 1; `None` if it
    /// was not sent because the worker reads nothing any more.
    number: Option<u64>,
    /// The number of workers that have died while it was being sent to them.
    deaths: u32,
    /// The time that the worker is told it has.
    time_left: Duration,
    window: Window,
    reply: Option<Reply>,
    answer_by: Deadline,
    started: Instant,
    first_chunk: Option<Instant>,
    /// Since when the work shows no sign of life: its start or its last chunk.
    quiet_since: Instant,
    ladder: Ladder,
    flow: Option<Flow>,
    kill_grace: Duration,
    /// The number of chunks that have come.
    chunks: u64,
    /// When it ends before its time.
    cut_off: CutOff,
}

/// The end that a call has before its time.
#[derive(Debug, Clone, Copy)]
enum CutOff {
    /// None before this.
    At(Deadline),
    /// It was asked to end then. The ladder begins when `kill_grace` is over.
    Asked(Instant, Asked),
}

/// Why a call was asked to end before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Its worker is to leave.
    ForLeaving,
    /// An operator has cancelled it.
    ByOperator,
}

impl Slot {
    /// Puts a call into its slot. `number` is that of its request; `window` is
    /// the credit that a stream starts with.
    pub fn new(
        call: Call,
        number: Option<u64>,
        window: Window,
        kill_grace: Duration,
        now: Instant,
    ) -> Self {
        let answer_by = call.answer_deadline();
        let Call { id, request, timeout, reply, deaths } = call;
        let is_stream = matches!(reply, Reply::Stream(_));
        let time_left = match answer_by {
            Deadline::Never => timeout,
            by => by.left(now),
        };
        Self {
            id,
            request,
            timeout,
            number,
            deaths,
            time_left,
            window,
            reply: Some(reply),
            answer_by,
            started: now,
            first_chunk: None,
            quiet_since: now,
            ladder: Ladder::new(kill_grace),
            flow: is_stream.then(|| Flow::new(window)),
            kill_grace,
            chunks: 0,
            cut_off: CutOff::At(Deadline::Never),
        }
    }

    /// It ends at `at`, if it is a stream and goes on until then.
    pub fn ends_as_stream(&mut self, at: Deadline) {
        if let (CutOff::At(end), true) = (&mut self.cut_off, self.flow.is_some()) {
            *end = at.min(*end);
        }
    }

    /// When it was put into its slot.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Why it was asked to end before its time, if it was.
    pub fn asked_to_end(&self) -> Option<Asked> {
        match self.cut_off {
            CutOff::Asked(_, why) => Some(why),
            CutOff::At(_) => None,
        }
    }

    /// An operator has cancelled it: it has `kill_grace` to end.
    pub fn end_for_operator(&mut self, now: Instant) {
        self.cut_off = CutOff::Asked(now, Asked::ByOperator);
    }

    /// What operators see of it.
    pub fn view(&self, worker: WorkerRef) -> CallView {
        let request = &self.request;
        CallView {
            id: self.id,
            app: request.app.clone(),
            action: request.action.clone(),
            stream: self.flow.is_some(),
            arrived: request.arrived,
            answer_by: if self.is_awaited() { self.answer_by } else { Deadline::Never },
            peer: request.peer.clone(),
            request_id: request.request_id.clone(),
            place: PlaceView::Runs {
                worker,
                started: self.started,
                awaited: self.is_awaited(),
                chunks: self.chunks,
            },
        }
    }

    /// Shows the Request of the call, without its payload, and the payload.
    /// `named` is whether it names app, action and kind of payload.
    pub fn with_request<T>(&mut self, named: bool, write: impl FnOnce(&Request, &Bytes) -> T) -> T {
        let Window { chunks, bytes } = self.window;
        let credit = worker::Credit { call_id: 0, chunks, bytes };
        let request = &mut self.request;
        let mut head = Request {
            call_id: self.id.0,
            stream: self.flow.is_some(),
            timeout_micros: self.time_left.as_micros() as u64,
            credit: self.flow.is_some().then_some(credit),
            // Lent, because a copy would cost every call an allocation each.
            request_id: std::mem::take(&mut request.request_id),
            metadata: std::mem::take(&mut request.metadata),
            ..Request::default()
        };
        if named {
            head.app = std::mem::take(&mut request.app);
            head.action = std::mem::take(&mut request.action);
            head.payload_kind = request.payload_kind.into();
        }
        let written = match named {
            true => write(&head, &request.payload),
            false => write(&head, &with_last_names(request)),
        };
        (request.request_id, request.metadata) = (head.request_id, head.metadata);
        if named {
            (request.app, request.action) = (head.app, head.action);
        }
        written
    }

    /// The socket took this many requests in full: if this one is among them, it
    /// goes to no other worker, and its payload is not needed any more.
    pub fn written(&mut self, requests: u64) {
        if self.is_written(requests) {
            self.request.payload = Bytes::new();
        }
    }

    fn is_written(&self, requests: u64) -> bool {
        self.number.is_some_and(|number| number <= requests)
    }

    /// Whether a caller still waits for an answer.
    pub fn is_awaited(&self) -> bool {
        self.reply.is_some()
    }

    /// Takes the way to the caller, to give it its last word. From here on the
    /// call is abandoned.
    pub fn take_reply(&mut self, now: Instant) -> Option<Reply> {
        if self.waits_for_reader() {
            self.quiet_since = now; // the wait ends, the work's own clock starts
        }
        self.reply.take()
    }

    /// Whether an answer of this kind ends the call; `None` is the end of a
    /// stream, which Execute does not have.
    pub fn takes_end(&self, payload: Option<&Bytes>) -> bool {
        payload.is_some() || !matches!(self.reply, Some(Reply::Unary(_)))
    }

    /// Ends the call: the way to the caller, if one still waits, and the times.
    /// The call counts as served if `good` and a caller is there.
    pub fn end(&mut self, good: bool, now: Instant) -> (Option<Reply>, End) {
        let reply = self.reply.take();
        let served = good && reply.as_ref().is_some_and(|reply| !reply.is_closed());
        (reply, self.times(served, now))
    }

    fn times(&self, served: bool, now: Instant) -> End {
        if let Some(story) = &self.request.story {
            story.work_ended(now);
        }
        let (started, first_chunk) = (self.started, self.first_chunk);
        End { call: self.id, served, started, first_chunk, ended: now }
    }

    /// Ends the call with its worker. Requests up to the number `begun` may have
    /// been read in part, those up to `written` in full.
    pub fn bury(mut self, begun: u64, written: u64, now: Instant) -> Remains {
        let end = self.times(false, now);
        let Some(reply) = self.reply.take().filter(|reply| !reply.is_closed()) else {
            return Remains::Lost(None, end); // nobody waits for it
        };
        // A worker may answer before it has read all. What has had a chunk can have
        // no second beginning.
        if self.is_written(written) || self.first_chunk.is_some() {
            return Remains::Lost(Some(reply), end);
        }
        let deaths = self.deaths + u32::from(self.is_written(begun));
        if deaths >= MOST_DEATHS {
            return Remains::Deadly { reply, end, app: self.request.app, deaths };
        }
        let Self { id, request, timeout, .. } = self;
        if let Some(story) = &request.story {
            story.waits_again();
        }
        Remains::Unstarted(Call { id, request, timeout, reply, deaths })
    }

    /// The way to the caller of a stream.
    pub fn sink(&self) -> Option<&Sink> {
        match &self.reply {
            Some(Reply::Stream(sink)) => Some(sink),
            _ => None,
        }
    }

    /// Counts a chunk of `size` bytes; false if there was no credit for it.
    #[must_use]
    pub fn on_chunk(&mut self, size: usize, now: Instant) -> bool {
        let read = self.sink().map_or(0, Sink::read);
        let within = self.flow.as_mut().is_some_and(|flow| flow.take(size, read, now));
        if within {
            self.chunks += 1;
            if self.first_chunk.is_none() {
                self.first_chunk = Some(now);
                if let Some(story) = &self.request.story {
                    story.begun(now);
                }
            }
            self.quiet_since = now;
        }
        within
    }

    /// Whether no chunk has come yet.
    pub fn is_unbegun(&self) -> bool {
        self.first_chunk.is_none()
    }

    /// Counts credit that the reader returned.
    pub fn on_credit(&mut self, credit: Credit, now: Instant) {
        if self.flow.as_mut().is_some_and(|flow| flow.give(credit)) {
            self.quiet_since = now;
        }
    }

    /// The number of frames that the worker may have sent for this call and that
    /// are not read yet: as many chunks as it has credit for, and the last one.
    pub fn frames_left(&self) -> u64 {
        self.flow.as_ref().map_or(0, Flow::chunks_left).saturating_add(1)
    }

    /// When [`step`](Self::step) has something to do.
    pub fn due(&self) -> Deadline {
        let answer = if self.is_awaited() { self.answer_by } else { Deadline::Never };
        answer.min(self.cut_off_at()).min(match self.stalls_at() {
            Some(stalled) if self.ladder.is_running() => stalled,
            _ => self.ladder.due(self.work_due()),
        })
    }

    /// Returns what is due now. To be called until it returns `None`.
    pub fn step(&mut self, now: Instant) -> Option<Step> {
        if self.is_awaited() && self.answer_by.is_over(now) {
            let callers = self.request.caller_deadline == self.answer_by;
            self.answer_by = Deadline::Never;
            return Some(if callers { Step::CallerDeadline } else { Step::Timeout });
        }
        if self.cut_off_at().is_over(now) {
            self.cut_off = CutOff::Asked(now, Asked::ForLeaving);
            return Some(Step::CutOff);
        }
        if self.ladder.is_running() && self.waits_for_reader() {
            return self.stall_step(now);
        }
        let timeout = self.work_due();
        Some(match self.ladder.step(timeout, now)? {
            Climb::Raise => Step::Raise,
            Climb::DumpStacks => Step::DumpStacks,
            Climb::Kill => Step::Kill,
        })
    }

    /// When the work has used up its time.
    fn work_due(&self) -> Deadline {
        let work = Deadline::after(self.quiet_since, self.timeout);
        match self.cut_off {
            CutOff::At(_) => work,
            CutOff::Asked(at, _) => work.min(Deadline::after(at, self.kill_grace)),
        }
    }

    /// When it is asked to end as a stream, unless it climbs the ladder anyway.
    fn cut_off_at(&self) -> Deadline {
        match self.cut_off {
            CutOff::At(at) if self.ladder.is_running() => at,
            CutOff::At(_) | CutOff::Asked(..) => Deadline::Never,
        }
    }

    fn waits_for_reader(&self) -> bool {
        self.stalls_at().is_some()
    }

    /// When a reader that the worker waits for counts as stalled.
    fn stalls_at(&self) -> Option<Deadline> {
        let flow = self.flow.as_ref().filter(|_| self.is_awaited())?;
        Some(Deadline::after(flow.waits_since()?, self.timeout))
    }

    /// The reader is stalled if it took nothing in a whole timeout; one that
    /// takes less than a credit return's worth is slow, not stalled.
    fn stall_step(&mut self, now: Instant) -> Option<Step> {
        if !self.stalls_at()?.is_over(now) {
            return None;
        }
        let read = self.sink().map_or(0, Sink::read);
        let exhausted = self.flow.as_mut()?.exhausted()?;
        exhausted.since = now; // not due again before another timeout
        let moved = std::mem::replace(&mut exhausted.read, read) != read;
        (!moved).then_some(Step::ReaderStalled)
    }
}

/// The payload for a worker that reads the names in it. A caller may have written
/// others behind those that the arbiter has read; for a worker the last ones count,
/// and these are the last.
fn with_last_names(request: &CallRequest) -> Bytes {
    let (app, action) = (request.app.clone(), request.action.clone());
    let names = ExecuteRequest { app, action, ..ExecuteRequest::default() };
    let size = request.payload.len() + names.encoded_len();
    let mut payload = BytesMut::with_capacity(size);
    payload.extend_from_slice(&request.payload);
    payload.extend_from_slice(&names.encode_to_vec());
    payload.freeze()
}
