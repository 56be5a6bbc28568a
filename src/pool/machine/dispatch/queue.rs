//! The queue of one app: bounded by the number of calls and by their bytes; first
//! in, first out for each principal, and principals in [`Turns`]. Pure.

use std::collections::BTreeMap;

use super::{
    running::Running,
    turns::{Measure, Turns},
};
use crate::{
    call::{CallId, Principal, Quota},
    clock::Deadline,
    config::QueueLimits,
};

/// A bounded queue. A call that is put back after its worker died takes its old
/// place, because ids grow in the order of arrival.
#[derive(Debug)]
pub struct AppQueue<T> {
    waiting: BTreeMap<CallId, (Wait, T)>,
    turns: Turns,
    bytes: u64,
    limits: QueueLimits,
}

/// A call that waits, as its queue sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The call.
    pub id: CallId,
    /// When it waits no longer.
    pub deadline: Deadline,
    /// Its size.
    pub bytes: u64,
    /// Whom it is counted for.
    pub principal: Principal,
    /// How much of the pool that one may take.
    pub quota: Quota,
}

/// Why a queue has no room for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The limit of calls is reached.
    Calls,
    /// With the call, the limit of bytes would be passed.
    Bytes,
    /// It waited already, and had to leave for a call of a principal with less than its
    /// share.
    Displaced,
    /// As many calls of its principal wait, in all queues, as may.
    OfPrincipal(u32),
}

impl<T> AppQueue<T> {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Self { waiting: BTreeMap::new(), turns: Turns::default(), bytes: 0, limits }
    }

    /// Changes the limits. Calls above lower ones stay.
    pub fn set_limits(&mut self, limits: QueueLimits) {
        self.limits = limits;
    }

    /// The number of calls that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The bytes of the calls that wait.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a call may wait, too. One that is larger than the limit may wait
    /// alone: otherwise it could be served only by luck, when a worker is free
    /// just as it arrives.
    pub fn room_for(&self, wait: &Wait) -> Result<(), Full> {
        if self.waiting.len() >= self.limits.calls {
            return Err(Full::Calls);
        }
        let fits = |limit| self.bytes.saturating_add(wait.bytes) <= limit;
        if self.waiting.is_empty() || self.limits.bytes.is_none_or(fits) {
            return Ok(());
        }
        Err(Full::Bytes)
    }

    /// Which call makes room for one that finds the queue full: the newest of the
    /// principal with the most, if the one that comes has less than its share. Then
    /// another has more than its own, so no call leaves in vain.
    pub fn displaced_by(&self, wait: &Wait, full: Full) -> Option<CallId> {
        let calls = (Measure::Calls, 1, self.limits.calls as u64);
        let bytes = self.limits.bytes.map(|limit| (Measure::Bytes, wait.bytes, limit));
        let mut limits = [Some(calls), bytes].into_iter().flatten();
        let is_within = limits.all(|(measure, own, limit)| {
            self.turns.is_within_share(wait.principal, wait.quota.weight, own, measure, limit)
        });
        let measure = if full == Full::Bytes { Measure::Bytes } else { Measure::Calls };
        is_within.then(|| self.turns.newest_of_the_largest(wait.principal, measure))?
    }

    /// Adds a call, whatever the limits.
    pub fn put(&mut self, wait: Wait, item: T) {
        let Wait { id, bytes, principal, quota, .. } = wait;
        self.bytes += bytes;
        self.turns.put(principal, quota, id, bytes);
        let replaced = self.waiting.insert(id, (wait, item));
        debug_assert!(replaced.is_none(), "call {id} waits twice");
    }

    /// Adds a call that had left the queue for a worker.
    pub fn put_back(&mut self, wait: Wait, item: T) {
        self.put(wait, item);
        self.turns.give_back(wait.principal);
    }

    /// The oldest call.
    pub fn oldest(&self) -> Option<(CallId, &T)> {
        self.waiting.first_key_value().map(|(id, (_, item))| (*id, item))
    }

    /// The calls that wait, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = &T> {
        self.waiting.values().map(|(_, item)| item)
    }

    /// Whose calls wait.
    #[cfg(any(test, feature = "internals"))]
    pub fn principals(&self) -> std::collections::BTreeSet<Principal> {
        self.waiting.values().map(|(wait, _)| wait.principal).collect()
    }

    /// The call whose turn it is, of those whose principals may have one more running.
    pub fn next(&self, running: &Running) -> Option<CallId> {
        self.turns.next(running)
    }

    /// The number of calls of a principal that wait.
    pub fn waiting_of(&self, principal: Principal) -> usize {
        self.turns.waiting_of(principal)
    }

    /// Takes a call out, with its deadline; `served` if it goes to a worker.
    pub fn take(&mut self, id: CallId, served: bool) -> Option<(Deadline, T)> {
        let (wait, item) = self.waiting.remove(&id)?;
        self.bytes -= wait.bytes;
        self.turns.take(wait.principal, id, wait.bytes, served);
        Some((wait.deadline, item))
    }
}
