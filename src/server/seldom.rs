//! Warnings that others can repeat at will: the first of an interval is logged,
//! the rest is counted, and the count is logged when the interval is over.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::locked::locked;

/// How long the count of a kind of warning goes on.
const INTERVAL: Duration = Duration::from_secs(5);

/// One kind of warning.
#[derive(Debug, Clone)]
pub struct Seldom {
    /// What it is about, for the count: "connections were refused".
    what: &'static str,
    count: Arc<Mutex<Count>>,
}

/// The count of an interval.
#[derive(Debug, Default)]
struct Count {
    begun: Option<Instant>,
    left_out: u64,
}

/// What is to be done with a warning.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Log it.
    Log,
    /// Count it, and log the count after this time.
    CountFirst(Duration),
    /// Count it.
    Count,
}

impl Count {
    fn next(&mut self, now: Instant) -> Next {
        match self.begun.map(|begun| (begun + INTERVAL).saturating_duration_since(now)) {
            Some(left) if left > Duration::ZERO || self.left_out > 0 => {
                self.left_out += 1;
                if self.left_out == 1 { Next::CountFirst(left) } else { Next::Count }
            }
            _ => {
                self.begun = Some(now);
                Next::Log
            }
        }
    }

    /// The interval is over. Returns the number of those that were not logged.
    fn end(&mut self) -> u64 {
        self.begun = None;
        std::mem::take(&mut self.left_out)
    }
}

impl Seldom {
    /// A kind that has not been seen yet. `what` completes "N more ...".
    pub fn new(what: &'static str) -> Self {
        Self { what, count: Arc::default() }
    }

    /// Logs the warning, or counts it.
    pub fn warn(&self, text: impl fmt::Display) {
        match self.lock().next(Instant::now()) {
            Next::Log => tracing::warn!("{text}"),
            Next::Count => {}
            Next::CountFirst(left) => drop(tokio::spawn(self.clone().sum_up(left))),
        }
    }

    async fn sum_up(self, left: Duration) {
        tokio::time::sleep(left).await;
        let (left_out, what) = (self.lock().end(), self.what);
        tracing::warn!("{left_out} more {what} within {INTERVAL:?}");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Count> {
        locked(&self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_and_the_others_are_counted_once() {
        let start = Instant::now();
        let mut count = Count::default();
        assert_eq!(count.next(start), Next::Log);
        let soon = start + INTERVAL / 5;
        assert_eq!(count.next(soon), Next::CountFirst(INTERVAL * 4 / 5));
        assert!((0..90_000).all(|_| count.next(soon) == Next::Count));
        // The sum may be late; nothing is lost meanwhile.
        assert_eq!(count.next(start + INTERVAL * 2), Next::Count);
        assert_eq!(count.end(), 90_002);
        assert_eq!(count.next(start + INTERVAL * 2), Next::Log);
        assert_eq!(count.next(start + INTERVAL * 4), Next::Log, "one at a time is no flood");
    }
}
