//! A call on its way from the edge through a queue to a worker, and the way its
//! answer takes back.
//!
//! A leaf: the server makes calls, the pool queues them, the worker's task runs
//! and answers them. Whoever owns the [`Call`] owns the duty to answer it;
//! dropping one unanswered is answered too (the receiver sees
//! [`CallError::Lost`]), so that a caller never waits for nobody.

mod error;
mod peer;
mod reply;
mod span;
mod story;
mod ticket;
mod view;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dirtyd_client::proto::worker::Metadata;

pub use dirtyd_client::proto::worker::PayloadKind;
pub use error::{AppFailure, CallError, EndedBy, QueueBound, WorkerRef};
pub use peer::{Peer, Principal, Quota};
pub use reply::{Chunks, Hold, Reply, Sink, StreamItem, reply_channel, stream_channel};
pub use span::Span;
pub use story::{CallFacts, Protocol, Story};
pub use ticket::{CallerLine, Credit, FromCaller, Ticket};
pub use view::{CallView, Cancelled, PlaceView, WaitReason};

use crate::clock::Deadline;

/// Names one call, on this machine and for ever: an arbiter counts on from the
/// microsecond of its start, which is further than any arbiter before it has
/// come. Ids grow in the order of arrival, so a queue sorted by id is a FIFO even
/// after a call was put back. They stay below 2^53, which every language counts.
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
    /// The request as it came, unopened: a whole `dirty.v1.ExecuteRequest`, or what
    /// `payload_kind` says.
    pub payload: Bytes,
    /// How the request is encoded, and its answer is to be.
    pub payload_kind: PayloadKind,
    /// When it arrived.
    pub arrived: Instant,
    /// Who calls.
    pub peer: Peer,
    /// How much of the pool it may take.
    pub quota: Quota,
    /// The caller's own deadline.
    pub caller_deadline: Deadline,
    /// The caller's request id, or one made from the call's id.
    pub request_id: String,
    /// The caller's metadata.
    pub metadata: Vec<Metadata>,
    /// Where it is noted how far the call comes; `None` if nobody asks.
    pub story: Option<Arc<Story>>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// What was asked. Boxed, because a call is handed on a dozen times on its way.
    pub request: Box<CallRequest>,
    /// The dirty timeout of its app.
    pub timeout: Duration,
    /// Where its answer goes.
    pub reply: Reply,
    /// How many workers died while it was being sent to them.
    pub deaths: u32,
}

/// After this number of deaths a call is not sent to another worker, although
/// none has started it: it may be what they died of.
pub const MOST_DEATHS: u32 = 2;

impl Call {
    /// What it takes of the room of a queue: the bytes of its request.
    pub fn size(&self) -> u64 {
        self.request.payload.len() as u64
    }

    /// When the call's wait in a queue ends: the earlier of the caller's
    /// deadline and arrival plus timeout.
    pub fn queue_deadline(&self) -> Deadline {
        Deadline::after(self.request.arrived, self.timeout).min(self.request.caller_deadline)
    }

    /// When a running call is answered at the latest. A stream is bounded by
    /// the caller alone; its timeout bounds the gaps between chunks.
    pub fn answer_deadline(&self) -> Deadline {
        match self.reply {
            Reply::Unary(_) => self.queue_deadline(),
            Reply::Stream(_) => self.request.caller_deadline,
        }
    }
}
