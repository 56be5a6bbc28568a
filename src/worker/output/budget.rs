//! How many lines of a worker are logged.

use std::time::{Duration, Instant};

/// The most lines of one worker that are logged in one [`INTERVAL`]; the others
/// are counted. The pipe is read on, so that a worker never blocks on its own
/// chatter.
pub const MAX_LINES: u32 = 2000;
const INTERVAL: Duration = Duration::from_secs(1);

/// How many lines may still be logged in this interval.
pub struct Budget {
    opened: Instant,
    used: u32,
    /// How many lines were left out.
    pub dropped: u64,
}

impl Budget {
    /// A whole budget.
    pub fn new(now: Instant) -> Self {
        Self { opened: now, used: 0, dropped: 0 }
    }

    /// When the interval is over.
    pub fn ends(&self) -> Instant {
        self.opened + INTERVAL
    }

    /// Starts a new interval if this one is over. Returns the number of lines that
    /// the old one left out, if any.
    pub fn reopen(&mut self, now: Instant) -> Option<u64> {
        if now < self.ends() {
            return None;
        }
        let dropped = self.dropped;
        *self = Self::new(now);
        (dropped > 0).then_some(dropped)
    }

    /// Counts a line; false if it is one too many.
    pub fn take(&mut self) -> bool {
        self.used = self.used.saturating_add(1);
        let within = self.used <= MAX_LINES;
        self.dropped += u64::from(!within);
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let logged = (0..5000).filter(|_| budget.take()).count();
        assert_eq!(logged, MAX_LINES as usize);
        assert_eq!(budget.reopen(start), None);
        assert_eq!(budget.reopen(start + INTERVAL), Some(5000 - u64::from(MAX_LINES)));
        assert!(budget.take(), "a new interval has a new budget");
    }
}
