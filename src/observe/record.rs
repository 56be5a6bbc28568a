//! What became of one call, as its caller saw it: what metrics, the access log and traces
//! are made of, so that they tell the same.

use std::time::{Duration, Instant, SystemTime};

use super::trace::Span;
use crate::call::{CallId, Peer, Protocol, WorkerRef};

/// How a call ended for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The name of gRPC's code, such as `DEADLINE_EXCEEDED`.
    pub code: &'static str,
    /// The reason of ErrorInfo, or `OK`.
    pub reason: &'a str,
    /// What the caller was told; empty if it has a result. It may hold text of the app.
    pub message: &'a str,
}

impl Outcome<'_> {
    /// The reason of a call that has a result.
    pub const OK: &'static str = "OK";

    /// Whether the caller got what it asked for.
    pub fn is_ok(&self) -> bool {
        self.reason == Self::OK
    }
}

/// One call, at the moment at which its caller has its outcome. It is borrowed: whoever
/// keeps some of it makes a copy.
#[derive(Debug, Clone)]
pub struct CallRecord<'a> {
    /// The arbiter's number for it; `None` if it was refused before it had one.
    pub id: Option<CallId>,
    /// The app, as the caller named it; empty if its request could not be read.
    pub app: &'a str,
    /// The action, as the caller named it; empty if its request could not be read.
    pub action: &'a str,
    /// The caller's request id, or the one that the arbiter made.
    pub request_id: &'a str,
    /// Who called.
    pub peer: &'a Peer,
    /// How it came.
    pub protocol: Protocol,
    /// Whether it is an ExecuteStream.
    pub stream: bool,
    /// When it arrived.
    pub arrived: Instant,
    /// The same by the clock on the wall.
    pub arrived_at: SystemTime,
    /// When it was given to its worker.
    pub started: Option<Instant>,
    /// When its first chunk came.
    pub first_chunk: Option<Instant>,
    /// When its caller had its outcome.
    pub ended: Instant,
    /// The worker that had it.
    pub worker: Option<WorkerRef>,
    /// How it ended.
    pub outcome: Outcome<'a>,
    /// The number of chunks that the caller was sent.
    pub chunks: u64,
    /// The bytes of its request.
    pub bytes_in: u64,
    /// The bytes of its result or of its chunks.
    pub bytes_out: u64,
    /// Its span, if it is traced or its caller's trace is known.
    pub span: Option<&'a Span>,
}

impl CallRecord<'_> {
    /// How long it waited for a worker: until its end if it never got one.
    pub fn queue_wait(&self) -> Duration {
        self.started.unwrap_or(self.ended).saturating_duration_since(self.arrived)
    }

    /// How long it ran until its caller had its outcome, if it got to a worker.
    pub fn run_time(&self) -> Option<Duration> {
        self.started.map(|started| self.ended.saturating_duration_since(started))
    }

    /// How long its caller waited in all.
    pub fn duration(&self) -> Duration {
        self.ended.saturating_duration_since(self.arrived)
    }

    /// How long its caller waited for the first chunk.
    pub fn until_first_chunk(&self) -> Option<Duration> {
        self.first_chunk.map(|first| first.saturating_duration_since(self.arrived))
    }

    /// A moment of it by the clock on the wall.
    pub fn on_the_wall(&self, moment: Instant) -> SystemTime {
        self.arrived_at + moment.saturating_duration_since(self.arrived)
    }
}
