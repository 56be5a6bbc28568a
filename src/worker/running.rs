//! One call in a slot of a worker: its deadline, its credit, and the ladder of
//! its timeout. Pure: it takes `now`, it knows no task and no socket.
//!
//! ```text
//!   running --timeout--> raised --half of kill_grace--> dumped --rest--> killed
//! ```
//!
//! The caller's answer has a clock of its own: when the deadline passes the
//! caller is answered and the call is *abandoned*; it keeps its slot until the
//! work has really ended. Only the timeout of the app sends it up the ladder.

use std::time::{Duration, Instant};

use crate::{
    call::{CallRequest, Reply},
    clock::Deadline,
    config::Window,
};

/// What is due for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Answer the caller: its own deadline passed.
    CallerDeadline,
    /// Answer the caller: the app's timeout passed since it arrived.
    Timeout,
    /// Answer the caller: it read nothing for the whole timeout.
    ReaderStalled,
    /// Raise in the action (and answer the caller, if it still waits).
    Raise,
    /// Log the worker's stacks.
    DumpStacks,
    /// Kill the worker.
    Kill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    Running,
    Raised(Instant),
    Dumped(Instant),
    Killed,
}

/// The credit of a stream, as the arbiter counts it.
#[derive(Debug)]
struct Flow {
    chunks: i64,
    bytes: i64,
    /// A chunk has come.
    begun: bool,
    /// Since when the worker waits for the reader, and how much had been read.
    exhausted: Option<(Instant, u64)>,
}

/// A call in its slot.
#[derive(Debug)]
pub struct Running {
    /// What was asked. The payload is given up once it is sent.
    pub request: CallRequest,
    /// The app's timeout.
    pub timeout: Duration,
    /// The position in the outgoing bytes at which its request begins.
    pub sent_from: u64,
    /// The position after which it counts as started.
    pub sent_at: u64,
    /// How many workers have died while it was being sent to them.
    pub deaths: u32,
    reply: Option<Reply>,
    answer_by: Option<Instant>,
    kill_grace: Duration,
    /// Since when the work shows no sign of life: its start or its last chunk.
    quiet_since: Instant,
    rung: Rung,
    flow: Option<Flow>,
}

impl Running {
    /// Puts a call into its slot. `answer_by` is when its caller must be
    /// answered; `window` is the credit that a stream starts with.
    pub fn new(
        request: CallRequest,
        timeout: Duration,
        reply: Reply,
        answer_by: Option<Instant>,
        window: Window,
        kill_grace: Duration,
        now: Instant,
    ) -> Self {
        let flow = matches!(reply, Reply::Stream(_)).then(|| Flow {
            chunks: i64::from(window.chunks),
            bytes: window.bytes as i64,
            begun: false,
            exhausted: None,
        });
        Self {
            request,
            timeout,
            sent_from: 0,
            sent_at: 0,
            deaths: 0,
            reply: Some(reply),
            answer_by,
            kill_grace,
            quiet_since: now,
            rung: Rung::Running,
            flow,
        }
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

    /// The way to the caller of a stream.
    pub fn sink(&self) -> Option<&crate::call::Sink> {
        match &self.reply {
            Some(Reply::Stream(sink)) => Some(sink),
            _ => None,
        }
    }

    /// Whether no chunk has come yet.
    pub fn is_unbegun(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| !flow.begun)
    }

    /// Counts a chunk that came; false if there was no credit for it.
    #[must_use]
    pub fn on_chunk(&mut self, size: usize, now: Instant) -> bool {
        let read = self.sink().map_or(0, crate::call::Sink::read);
        let Some(flow) = &mut self.flow else { return false };
        if flow.chunks <= 0 || flow.bytes <= 0 {
            return false;
        }
        flow.begun = true;
        flow.chunks -= 1;
        flow.bytes -= size as i64;
        if flow.chunks == 0 || flow.bytes <= 0 {
            flow.exhausted = Some((now, read));
        }
        self.quiet_since = now;
        true
    }

    /// Counts credit that the reader returned.
    pub fn on_credit(&mut self, chunks: u32, bytes: u64, now: Instant) {
        let Some(flow) = &mut self.flow else { return };
        flow.chunks += i64::from(chunks);
        flow.bytes += bytes as i64;
        if flow.chunks > 0 && flow.bytes > 0 && flow.exhausted.take().is_some() {
            self.quiet_since = now;
        }
    }

    /// When [`step`](Self::step) has something next.
    pub fn due(&self) -> Option<Instant> {
        let answer = self.answer_by.filter(|_| self.is_awaited());
        let rung = match self.rung {
            Rung::Running if self.waits_for_reader() => self.stalled_at(),
            Rung::Running => Some(self.quiet_since + self.timeout),
            Rung::Raised(at) => Some(at + self.kill_grace / 2),
            Rung::Dumped(raised) => Some(raised + self.kill_grace),
            Rung::Killed => None,
        };
        [answer, rung].into_iter().flatten().min()
    }

    /// What is due now; to be called until it gives `None`.
    pub fn step(&mut self, now: Instant) -> Option<Step> {
        if let Some(deadline) = self.answer_by.filter(|at| self.is_awaited() && *at <= now) {
            let callers = self.request.caller_deadline == Deadline::At(deadline);
            self.answer_by = None;
            return Some(if callers { Step::CallerDeadline } else { Step::Timeout });
        }
        match self.rung {
            Rung::Running if self.waits_for_reader() => self.stall_step(now),
            Rung::Running if self.quiet_since + self.timeout <= now => {
                self.rung = Rung::Raised(now);
                Some(Step::Raise)
            }
            Rung::Raised(at) if at + self.kill_grace / 2 <= now => {
                self.rung = Rung::Dumped(at);
                Some(Step::DumpStacks)
            }
            Rung::Dumped(raised) if raised + self.kill_grace <= now => {
                self.rung = Rung::Killed;
                Some(Step::Kill)
            }
            _ => None,
        }
    }

    fn waits_for_reader(&self) -> bool {
        self.is_awaited() && self.flow.as_ref().is_some_and(|flow| flow.exhausted.is_some())
    }

    fn stalled_at(&self) -> Option<Instant> {
        let (since, _) = self.flow.as_ref()?.exhausted?;
        Some(since + self.timeout)
    }

    /// The reader is stalled if it took nothing in a whole timeout; one that
    /// takes less than a credit return's worth is slow, not stalled.
    fn stall_step(&mut self, now: Instant) -> Option<Step> {
        let read_now = self.sink().map_or(0, crate::call::Sink::read);
        let (since, read) = self.flow.as_mut()?.exhausted.as_mut()?;
        if *since + self.timeout > now {
            return None;
        }
        if read_now != *read {
            (*since, *read) = (now, read_now);
            return None;
        }
        *since = now; // not due again before another timeout
        Some(Step::ReaderStalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Chunks, Peer, StreamItem, reply_channel, stream_channel};
    use bytes::Bytes;

    const TIMEOUT: Duration = Duration::from_secs(10);
    const GRACE: Duration = Duration::from_secs(2);
    const WINDOW: Window = Window { chunks: 2, bytes: 100 };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn running(reply: Reply, caller: Option<Instant>, now: Instant) -> Running {
        let request = CallRequest {
            app: "a:A".into(),
            action: "act".into(),
            payload: Bytes::new(),
            arrived: now,
            peer: Peer::Unknown,
            caller_deadline: caller.into(),
            request_id: String::new(),
            metadata: Vec::new(),
        };
        let answer_by = match reply {
            Reply::Unary(_) => Some(caller.map_or(now + TIMEOUT, |c| c.min(now + TIMEOUT))),
            Reply::Stream(_) => caller,
        };
        Running::new(request, TIMEOUT, reply, answer_by, WINDOW, GRACE, now)
    }

    fn stream(now: Instant) -> (Running, Chunks) {
        let (reply, chunks) = stream_channel(WINDOW.chunks);
        (running(reply, None, now), chunks)
    }

    /// Runs the clock from event to event and notes what is done when.
    fn climb(call: &mut Running, start: Instant, until: Duration) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        while let Some(due) = call.due().filter(|due| *due <= start + until) {
            while let Some(step) = call.step(due) {
                if matches!(step, Step::CallerDeadline | Step::Timeout | Step::Raise) {
                    drop(call.take_reply(due));
                }
                steps.push(((due - start).as_secs(), step));
            }
        }
        steps
    }

    #[test]
    fn a_stuck_call_goes_up_the_whole_ladder() {
        let now = Instant::now();
        let (reply, _answer) = reply_channel();
        let mut call = running(reply, None, now);
        let steps = climb(&mut call, now, seconds(100));
        let expected =
            [(10, Step::Timeout), (10, Step::Raise), (11, Step::DumpStacks), (12, Step::Kill)];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_callers_own_deadline_only_answers_until_the_timeout_of_the_app() {
        let now = Instant::now();
        let (reply, _answer) = reply_channel();
        let mut call = running(reply, Some(now + seconds(3)), now);
        assert_eq!(climb(&mut call, now, seconds(9)), [(3, Step::CallerDeadline)]);
        let rest = climb(&mut call, now, seconds(100));
        assert_eq!(rest[0], (10, Step::Raise), "the app's timeout still ends the work");
    }

    #[test]
    fn chunks_restart_the_clock_of_a_stream() {
        let now = Instant::now();
        let (mut call, _chunks) = stream(now);
        assert!(call.on_chunk(1, now + seconds(9)));
        assert_eq!(climb(&mut call, now, seconds(18)), []);
        assert_eq!(climb(&mut call, now, seconds(19)), [(19, Step::Raise)]);
    }

    #[test]
    fn credit_is_chunks_and_bytes() {
        let now = Instant::now();
        let (mut call, _chunks) = stream(now);
        assert!(call.on_chunk(500, now), "one chunk may exceed the bytes");
        assert!(!call.on_chunk(1, now), "then there is no credit");
        call.on_credit(1, 500, now);
        assert!(call.on_chunk(1, now) && call.on_chunk(1, now));
        assert!(!call.on_chunk(1, now), "the chunks are used up");
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_is_stalled_and_one_that_takes_little_is_not() {
        let now = Instant::now();
        let (mut call, mut chunks) = stream(now);
        for _ in 0..2 {
            assert!(call.on_chunk(1, now));
            let sink = call.sink().expect("stream");
            assert!(sink.send(StreamItem::Chunk(Bytes::new())));
        }
        chunks.next().await.expect("chunk");
        assert_eq!(climb(&mut call, now, seconds(10)), [], "it took one");
        assert_eq!(climb(&mut call, now, seconds(20)), [(20, Step::ReaderStalled)]);
        // Once it is abandoned, the action has a timeout to close.
        drop(call.take_reply(now + seconds(20)));
        let steps = climb(&mut call, now, seconds(40));
        assert_eq!(steps[0], (30, Step::Raise));
        assert_eq!(steps[2], (32, Step::Kill));
    }
}
