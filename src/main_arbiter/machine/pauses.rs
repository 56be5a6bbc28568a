//! The pauses between starts of a dirty arbiter that keeps dying. The first
//! replacement starts at once; each further one after twice the pause.

use std::time::Duration;

/// A dirty arbiter that lived so long was healthy: the next one starts at once.
pub(super) const HEALTHY: Duration = Duration::from_secs(10);
/// The first pause.
pub(super) const FIRST: Duration = Duration::from_millis(100);
/// The longest pause after one that had become ready: callers wait for it.
pub(super) const LONGEST_IF_READY: Duration = Duration::from_secs(1);
/// The longest pause after one that had not.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The deaths that came too soon one after the other.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    failures: u32,
}

impl Pauses {
    /// Returns the pause after one that lived for `lived`.
    pub(super) fn next(&mut self, lived: Duration, was_ready: bool) -> Duration {
        if lived >= HEALTHY {
            self.failures = 0;
        }
        let longest = if was_ready { LONGEST_IF_READY } else { LONGEST };
        let pause = match self.failures {
            0 => Duration::ZERO,
            n => FIRST.saturating_mul(1 << (n - 1).min(10)).min(longest),
        };
        self.failures = self.failures.saturating_add(1);
        pause
    }
}
