//! How many frames without sense a worker may send.

use std::time::{Duration, Instant};

/// The most frames in one [`INTERVAL`]. A worker that crosses a cancel with its
/// answer sends one of them per call; only a broken one comes near this.
const MOST: u32 = 1000;
const INTERVAL: Duration = Duration::from_secs(1);

/// Counts frames that were not asked for: each costs the arbiter about as much as
/// a call, and brings nothing.
#[derive(Debug)]
pub struct Allowance {
    opened: Instant,
    used: u32,
}

impl Allowance {
    /// A full allowance.
    pub fn new(now: Instant) -> Self {
        Self { opened: now, used: 0 }
    }

    /// Counts one frame.
    ///
    /// # Errors
    /// The allowance of this interval is used up; the text says so.
    pub fn take(&mut self, now: Instant) -> Result<(), String> {
        if now.saturating_duration_since(self.opened) >= INTERVAL {
            *self = Self::new(now);
        }
        self.used = self.used.saturating_add(1);
        if self.used <= MOST {
            return Ok(());
        }
        Err(format!(
            "it sent more than {MOST} frames in {INTERVAL:?} that were not asked for (for calls that it does not run, or Pongs without a Ping)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interval_has_its_own_allowance() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        for _ in 0..MOST {
            assert_eq!(allowance.take(start), Ok(()));
        }
        let why = allowance.take(start + INTERVAL / 2).expect_err("one too many");
        assert!(why.contains("more than 1000 frames in 1s"), "{why}");
        assert_eq!(allowance.take(start + INTERVAL), Ok(()));
    }
}
