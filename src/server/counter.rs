//! Counts of what is open, which can be shown and bounded.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A count that goes up with each [`Counted`] and down when one is dropped.
/// Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU32>);

/// One of what a [`Counter`] counts.
#[derive(Debug)]
pub struct Counted(Counter);

impl Counter {
    /// The number of those that are open.
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more, unless `limit` are open already.
    pub fn enter(&self, limit: usize) -> Option<Counted> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let more = |count| (count < limit).then(|| count + 1);
        let entered = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.is_ok().then(|| Counted(self.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_stops_at_its_limit_and_returns() {
        let counter = Counter::default();
        let (one, two) = (counter.enter(2), counter.enter(2));
        assert!(one.is_some() && two.is_some() && counter.enter(2).is_none());
        assert_eq!(counter.count(), 2);
        drop(one);
        assert_eq!(counter.count(), 1);
        assert!(counter.enter(2).is_some(), "there is room again");
    }
}
