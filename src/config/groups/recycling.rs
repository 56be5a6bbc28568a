//! When to replace a worker that works.

use std::time::Duration;

use crate::config::{
    declare::keys,
    rules::reload,
    units::{Seconds, Size},
};

/// When to replace a worker that works; each rule is optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recycle {
    /// After this number of calls.
    pub max_requests: Option<u64>,
    /// Up to this number of calls more, drawn for each worker.
    pub max_requests_jitter: u64,
    /// After so long.
    pub max_lifetime: Option<Duration>,
    /// Above this size of resident memory, in bytes.
    pub max_memory: Option<u64>,
}

keys! {
    /// Recycling.
    pub struct Recycling {
        /// replace a worker after this number of calls; 0: never
        max_requests: u64 = 0, reload();
        /// up to this number of calls more, drawn for each worker
        max_requests_jitter: u64 = 0, reload();
        /// replace a worker after so long; 0: never
        max_lifetime: Seconds = Seconds::of(0), reload();
        /// replace a worker above so much resident memory; 0: never
        max_memory: Size = Size(0), reload();
    }
}

impl Recycling {
    /// What the keys mean.
    pub fn meaning(&self) -> Recycle {
        Recycle {
            max_requests: Some(self.max_requests()).filter(|calls| *calls > 0),
            max_requests_jitter: self.max_requests_jitter(),
            max_lifetime: Some(self.max_lifetime().0).filter(|time| !time.is_zero()),
            max_memory: Some(self.max_memory().0).filter(|bytes| *bytes > 0),
        }
    }
}
