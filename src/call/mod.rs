//! A call on its way from the edge through a queue to a worker, and the way its
//! answer takes back.
//!
//! A leaf: the server makes calls, the pool queues them, the worker's task runs
//! and answers them. Whoever owns the [`Call`] owns the duty to answer it;
//! dropping one unanswered is answered too (the receiver sees
//! [`CallError::Lost`]), so that a caller never waits for nobody.

mod error;
mod reply;

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;

pub use error::{AppFailure, CallError, EndedBy, QueueBound, WorkerRef};
pub use reply::{Chunks, CreditReturn, Reply, Sink, StreamItem, reply_channel, stream_channel};

use crate::proto::worker::Metadata;

/// Names one call in the life of an arbiter. Ids grow in the order of arrival,
/// so a queue sorted by id is a FIFO even after a call was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a caller asked for, as far as the arbiter reads it.
#[derive(Debug)]
pub struct CallRequest {
    /// The app's path.
    pub app: String,
    /// The action's name; never empty, never private.
    pub action: String,
    /// The whole `dirty.v1.ExecuteRequest`, as it came.
    pub payload: Bytes,
    /// When it arrived.
    pub arrived: Instant,
    /// The caller's own deadline.
    pub caller_deadline: Option<Instant>,
    /// The caller's request id, or one made from the call's id.
    pub request_id: String,
    /// The caller's metadata.
    pub metadata: Vec<Metadata>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// What was asked.
    pub request: CallRequest,
    /// The dirty timeout of its app.
    pub timeout: Duration,
    /// Where its answer goes.
    pub reply: Reply,
    /// How many workers died while it was being sent to them.
    pub deaths: u32,
}

/// After so many deaths of workers a call is not sent to another one, although
/// none has started it: it may be what they died of.
pub const MOST_DEATHS: u32 = 2;

impl Call {
    /// What it takes of the room of a queue: the bytes of its request.
    pub fn size(&self) -> u64 {
        self.request.payload.len() as u64
    }

    /// When the call's wait in a queue ends: the earlier of the caller's
    /// deadline and arrival plus timeout.
    pub fn queue_deadline(&self) -> Instant {
        let own = self.request.arrived + self.timeout;
        self.request.caller_deadline.map_or(own, |caller| caller.min(own))
    }

    /// When a running call is answered at the latest. A stream is bounded by
    /// the caller alone; its timeout bounds the gaps between chunks.
    pub fn answer_deadline(&self) -> Option<Instant> {
        match self.reply {
            Reply::Unary(_) => Some(self.queue_deadline()),
            Reply::Stream(_) => self.request.caller_deadline,
        }
    }
}
