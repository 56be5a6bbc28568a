//! The queue of one app: first in, first out, by call id. Pure.

use std::{collections::BTreeMap, time::Instant};

use crate::call::CallId;

/// A bounded FIFO. A call that is put back after its worker died takes its old
/// place, because ids grow in the order of arrival.
#[derive(Debug)]
pub struct AppQueue<T> {
    waiting: BTreeMap<CallId, (Instant, T)>,
    limit: usize,
}

impl<T> AppQueue<T> {
    /// An empty queue for at most `limit` calls.
    pub fn new(limit: usize) -> Self {
        Self { waiting: BTreeMap::new(), limit }
    }

    /// Changes the limit. Calls above a lower one stay.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many calls wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether another call may wait.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.limit
    }

    /// Adds a call with its deadline.
    pub fn put(&mut self, id: CallId, deadline: Instant, item: T) {
        self.waiting.insert(id, (deadline, item));
    }

    /// The oldest call.
    pub fn head(&self) -> Option<(CallId, &T)> {
        self.waiting.first_key_value().map(|(id, (_, item))| (*id, item))
    }

    /// Takes a call out, with its deadline.
    pub fn take(&mut self, id: CallId) -> Option<(Instant, T)> {
        self.waiting.remove(&id)
    }
}
