//! The times that differ from one configuration to the next.

use std::time::{Duration, Instant};

use crate::{clock::Deadline, patience};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// How long calls may take to end in a drain.
    pub graceful: Duration,
    /// How long the new binary of an upgrade may take to become ready.
    pub upgrade: Duration,
    /// How often systemd wants a sign of life, if it does.
    pub watchdog: Option<Duration>,
}

impl Timeouts {
    /// When a dirty arbiter that is told to drain now is killed.
    pub(super) fn drained_by(&self, now: Instant) -> Deadline {
        Deadline::after(now, patience::dirty_arbiter_is_killed(self.graceful))
    }

    /// When a successor that is told to end now is killed.
    pub(super) fn successor_ended_by(&self, now: Instant) -> Deadline {
        Deadline::after(now, patience::successor_is_killed(self.graceful))
    }

    /// When a successor that is started now is refused.
    pub(super) fn upgraded_by(&self, now: Instant) -> Deadline {
        Deadline::after(now, self.upgrade)
    }

    /// How long to wait between two signs of life.
    pub(super) fn beat(&self) -> Duration {
        patience::ping_interval(self.watchdog)
    }
}
