//! The calls of an app: how long they may take, and how many may wait.

use crate::config::{
    declare::keys,
    groups::worker::longer_than_0,
    rules::{Outside, reload},
    units::{MIB, Seconds, Size},
};

/// How much may wait for an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// So many calls (`max_queue`).
    pub calls: usize,
    /// So many bytes of requests, but always one call (`max_queue_bytes`);
    /// `None` leaves it to the number of calls.
    pub bytes: Option<u64>,
}

keys! {
    /// The calls of an app.
    pub struct Calls {
        /// how long a call may take, its wait included; for a stream, the longest gap between
        /// chunks
        timeout: Seconds = Seconds::of(300),
            reload()
                .check(longer_than_0)
                .alias("dirty_timeout")
                .outside(Outside::CommonFlag);
        /// calls that may wait per app; 0: none waits, what finds no free worker is refused
        max_queue: u32 = 1024, reload();
        /// bytes of requests that may wait per app; 0: only `max_queue` bounds them
        max_queue_bytes: Size = Size(256 * MIB), reload();
    }
}

impl Calls {
    /// What the keys of the queue mean.
    pub fn queue(&self) -> QueueLimits {
        QueueLimits {
            calls: self.max_queue() as usize,
            bytes: Some(self.max_queue_bytes().0).filter(|bytes| *bytes > 0),
        }
    }
}
