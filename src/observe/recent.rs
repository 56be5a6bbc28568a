//! What happened last: the slow and the failed calls, for the page. Pure, and bounded: so
//! many of each, in short copies.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use super::record::CallRecord;
use crate::{call::WorkerRef, printable};

/// The number of slow calls and of failed ones that are kept.
pub const MOST_CALLS: usize = 50;
/// How long a call takes that is slow, unless the configuration says it.
pub const SLOW: Duration = Duration::from_secs(1);
/// The longest text that is kept, in characters.
const LONGEST_TEXT: usize = 128;

/// The slow and the failed calls.
#[derive(Debug)]
pub struct RecentCalls {
    slow_from: Duration,
    slow: Ring<EndedCall>,
    failed: Ring<EndedCall>,
}

/// What is kept of a call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCall {
    /// When.
    pub at: SystemTime,
    /// The arbiter's number for it; 0 if it had none.
    pub id: u64,
    /// Its app, as the caller named it.
    pub app: String,
    /// Its action, as the caller named it.
    pub action: String,
    /// The reason of its error, or `OK`.
    pub reason: String,
    /// How long its caller waited in all.
    pub duration: Duration,
    /// How much of that it waited for a worker.
    pub queue_wait: Duration,
    /// The worker that had it.
    pub worker: Option<WorkerRef>,
    /// Who called.
    pub peer: String,
    /// The caller's request id, or the one that the arbiter made.
    pub request_id: String,
}

impl RecentCalls {
    /// None yet. A call is slow that takes as long as `slow_from`.
    pub fn new(slow_from: Duration) -> Self {
        Self { slow_from, slow: Ring::new(MOST_CALLS), failed: Ring::new(MOST_CALLS) }
    }

    /// Keeps the call if it was slow, if it failed, or both.
    pub fn ended(&mut self, call: &CallRecord<'_>) {
        if call.duration() >= self.slow_from {
            self.slow.push(EndedCall::of(call));
        }
        if !call.outcome.is_ok() {
            self.failed.push(EndedCall::of(call));
        }
    }

    /// The slow calls.
    pub fn slow(&self) -> &Ring<EndedCall> {
        &self.slow
    }

    /// The failed calls.
    pub fn failed(&self) -> &Ring<EndedCall> {
        &self.failed
    }
}

impl EndedCall {
    fn of(call: &CallRecord<'_>) -> Self {
        Self {
            at: call.on_the_wall(call.ended),
            id: call.id.map_or(0, |id| id.0),
            app: short(call.app),
            action: short(call.action),
            reason: short(call.outcome.reason),
            duration: call.duration(),
            queue_wait: call.queue_wait(),
            worker: call.worker,
            peer: short(&call.peer.to_string()),
            request_id: short(call.request_id),
        }
    }
}

/// Text of others in one line, and not too much of it.
fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => printable::one_line(text).into_owned(),
        Some((end, _)) => format!("{}…", printable::one_line(&text[..end])),
    }
}

/// The last of many things. Each has a number, from 1 on.
#[derive(Debug)]
pub struct Ring<T> {
    most: usize,
    things: VecDeque<T>,
    /// The number of the last one.
    last: u64,
}

impl<T> Ring<T> {
    /// An empty one that keeps at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, things: VecDeque::new(), last: 0 }
    }

    /// Adds one. The oldest goes if there are too many.
    pub fn push(&mut self, thing: T) {
        if self.things.len() == self.most {
            self.things.pop_front();
        }
        self.things.push_back(thing);
        self.last += 1;
    }

    /// The number of the last one; 0 if there has been none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Those that came after the one with this number, as far as they are kept, oldest first.
    pub fn after(&self, number: u64) -> impl Iterator<Item = &T> {
        let new = usize::try_from(self.last.saturating_sub(number)).unwrap_or(usize::MAX);
        self.things.iter().skip(self.things.len().saturating_sub(new))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        call::{CallId, Peer, Protocol},
        observe::record::Outcome,
    };

    fn record<'a>(action: &'a str, reason: &'a str, took: Duration) -> CallRecord<'a> {
        let arrived = Instant::now();
        CallRecord {
            id: Some(CallId(7)),
            app: "a:A",
            action,
            request_id: "r-1",
            peer: &Peer::Unknown,
            protocol: Protocol::Grpc,
            stream: false,
            arrived,
            arrived_at: SystemTime::UNIX_EPOCH,
            started: Some(arrived + took / 4),
            first_chunk: None,
            ended: arrived + took,
            worker: Some(WorkerRef { id: 3, pid: 4711 }),
            outcome: Outcome { code: "OK", reason, message: "" },
            chunks: 0,
            bytes_in: 0,
            bytes_out: 0,
            span: None,
        }
    }

    #[test]
    fn a_call_is_kept_as_slow_as_failed_as_both_or_not_at_all() {
        let mut recent = RecentCalls::new(Duration::from_secs(1));
        recent.ended(&record("quick", "OK", Duration::from_millis(999)));
        recent.ended(&record("slow", "OK", Duration::from_secs(1)));
        recent.ended(&record("failed", "APP_ERROR", Duration::ZERO));
        recent.ended(&record("both", "TIMEOUT", Duration::from_secs(8)));
        let actions = |calls: &Ring<EndedCall>| -> Vec<_> {
            calls.after(0).map(|call| call.action.clone()).collect()
        };
        assert_eq!(actions(recent.slow()), ["slow", "both"]);
        assert_eq!(actions(recent.failed()), ["failed", "both"]);

        let kept = recent.failed().after(1).next().expect("both");
        let eight = Duration::from_secs(8);
        let after = |time| SystemTime::UNIX_EPOCH + time;
        assert_eq!((kept.at, kept.duration, kept.queue_wait), (after(eight), eight, eight / 4));
        assert_eq!((kept.id, kept.reason.as_str()), (7, "TIMEOUT"));
        assert_eq!(kept.worker, Some(WorkerRef { id: 3, pid: 4711 }));
    }

    #[test]
    fn only_the_last_are_kept() {
        let mut recent = RecentCalls::new(SLOW);
        for at in 0..MOST_CALLS + 5 {
            recent.ended(&record(&at.to_string(), "QUEUE_FULL", Duration::ZERO));
        }
        let failed = recent.failed();
        assert_eq!(failed.after(0).count(), MOST_CALLS);
        assert_eq!(failed.after(0).next().expect("one").action, "5");
        assert_eq!(failed.last(), MOST_CALLS as u64 + 5);
        assert_eq!(failed.after(failed.last() - 2).count(), 2);
        assert_eq!(failed.after(failed.last()).count(), 0);
    }

    #[test]
    fn text_of_others_is_short_and_in_one_line() {
        assert_eq!(short("a\nb\u{202e}"), "a\\nb\\u{202e}");
        let long = short(&"é".repeat(100_000));
        assert_eq!(long.chars().count(), LONGEST_TEXT + 1);
        assert!(long.ends_with('…'));
    }
}
