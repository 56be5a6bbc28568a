//! The queue of one app: first in, first out, by call id; bounded by the number
//! of calls and by their bytes. Pure.

use std::collections::BTreeMap;

use crate::{call::CallId, clock::Deadline, config::QueueLimits};

/// A bounded FIFO. A call that is put back after its worker died takes its old
/// place, because ids grow in the order of arrival.
#[derive(Debug)]
pub struct AppQueue<T> {
    waiting: BTreeMap<CallId, Waiting<T>>,
    bytes: u64,
    limits: QueueLimits,
}

#[derive(Debug)]
struct Waiting<T> {
    deadline: Deadline,
    bytes: u64,
    item: T,
}

/// Which limit of a queue leaves no room for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many calls wait as may.
    Calls,
    /// With the call, more bytes would wait than may.
    Bytes,
}

impl<T> AppQueue<T> {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Self { waiting: BTreeMap::new(), bytes: 0, limits }
    }

    /// Changes the limits. Calls above lower ones stay.
    pub fn set_limits(&mut self, limits: QueueLimits) {
        self.limits = limits;
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The bytes of the calls that wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a call of this size, in bytes, may wait too. One that is larger than the
    /// limit may wait alone: otherwise it could be served only by luck, when a
    /// worker is free just as it arrives.
    pub fn room_for(&self, bytes: u64) -> Result<(), Full> {
        if self.waiting.len() >= self.limits.calls {
            return Err(Full::Calls);
        }
        let fits = |limit| self.bytes.saturating_add(bytes) <= limit;
        if self.waiting.is_empty() || self.limits.bytes.is_none_or(fits) {
            return Ok(());
        }
        Err(Full::Bytes)
    }

    /// Adds a call with its deadline and size, whatever the limits.
    pub fn put(&mut self, id: CallId, deadline: Deadline, bytes: u64, item: T) {
        self.bytes += bytes;
        let replaced = self.waiting.insert(id, Waiting { deadline, bytes, item });
        debug_assert!(replaced.is_none(), "call {id} waits twice");
    }

    /// The oldest call.
    pub fn head(&self) -> Option<(CallId, &T)> {
        self.waiting.first_key_value().map(|(id, waiting)| (*id, &waiting.item))
    }

    /// Takes a call out, with its deadline.
    pub fn take(&mut self, id: CallId) -> Option<(Deadline, T)> {
        let Waiting { deadline, bytes, item } = self.waiting.remove(&id)?;
        self.bytes -= bytes;
        Some((deadline, item))
    }
}
