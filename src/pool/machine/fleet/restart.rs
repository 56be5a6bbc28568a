//! When to try again: exponential backoff, and OTP's restart intensity. Pure:
//! it takes `now` and a random number.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::config::Intensity;

const FIRST: Duration = Duration::from_millis(250);
const CAP: Duration = Duration::from_secs(30);

/// Growing pauses for something that keeps failing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How often it has failed since it last worked.
    pub fn failures(self) -> u32 {
        self.failures
    }

    /// It worked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait before the next try. `random` in 0..1 takes
    /// up to a quarter off, so that what failed together is not tried together.
    pub fn failed(&mut self, random: f64) -> Duration {
        let pause = FIRST.saturating_mul(1 << self.failures.min(10)).min(CAP);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(1.0 - 0.25 * random)
    }
}

/// The deaths of a pool's workers within a sliding window.
#[derive(Debug, Default)]
pub struct Deaths {
    recent: VecDeque<Instant>,
}

impl Deaths {
    /// A worker died that had been ready. Gives how long to wait before it is
    /// replaced, if there were too many such deaths: until the oldest of them
    /// leaves the window.
    pub fn record(&mut self, rule: Intensity, now: Instant) -> Option<Duration> {
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|at| now.duration_since(*at) >= rule.window) {
            self.recent.pop_front();
        }
        if self.recent.len() <= rule.max_restarts as usize {
            return None;
        }
        // One more than allowed is enough to remember.
        while self.recent.len() > rule.max_restarts as usize + 1 {
            self.recent.pop_front();
        }
        let oldest = *self.recent.front()?;
        Some((oldest + rule.window).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_start_again() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..10).map(|_| backoff.failed(0.0)).collect();
        assert_eq!(pauses[0], FIRST);
        assert_eq!(pauses[1], FIRST * 2);
        assert_eq!(pauses[9], CAP);
        for _ in 0..100 {
            let pause = backoff.failed(1.0);
            assert!(pause >= CAP.mul_f64(0.75) && pause <= CAP);
        }
        backoff.succeeded();
        assert_eq!(backoff.failed(0.0), FIRST);
    }

    #[test]
    fn more_deaths_than_allowed_within_the_window_wait() {
        let rule = Intensity { max_restarts: 2, window: Duration::from_secs(60) };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut deaths = Deaths::default();
        assert_eq!(deaths.record(rule, after(0)), None);
        assert_eq!(deaths.record(rule, after(10)), None);
        assert_eq!(deaths.record(rule, after(20)), Some(Duration::from_secs(40)));
        assert_eq!(deaths.record(rule, after(75)), None, "the first two are forgotten");
    }
}
