//! A call as operators see it.

use std::time::Instant;

use super::{CallId, Peer, WorkerRef};
use crate::clock::Deadline;

/// A call that waits or runs.
#[derive(Debug, Clone)]
pub struct CallView {
    /// Its name.
    pub id: CallId,
    /// The app's path.
    pub app: String,
    /// The action's name.
    pub action: String,
    /// Whether it is an ExecuteStream.
    pub stream: bool,
    /// When it arrived.
    pub arrived: Instant,
    /// When it is answered at the latest.
    pub answer_by: Deadline,
    /// Who calls.
    pub peer: Peer,
    /// The caller's request id, or one made from the call's id.
    pub request_id: String,
    /// Where it is.
    pub place: PlaceView,
}

/// Where a call is.
#[derive(Debug, Clone)]
pub enum PlaceView {
    /// In a queue.
    Waits {
        /// What for.
        reason: WaitReason,
        /// The same as one line for a person.
        message: String,
    },
    /// In a worker.
    Runs {
        /// Which.
        worker: WorkerRef,
        /// Since when.
        started: Instant,
        /// Whether its caller still waits for its answer.
        awaited: bool,
        /// The number of chunks that have come.
        chunks: u64,
    },
}

/// What a call in a queue waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// A free slot.
    Slot,
    /// A worker that is ready.
    Worker,
    /// Another call of its user.
    UserLimit,
}

/// Where a call that an operator cancelled was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// In a queue.
    Waiting,
    /// In a worker.
    Running,
    /// In a worker, and nobody waited for it any more.
    Abandoned,
}
