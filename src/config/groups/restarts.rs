//! When to give up for a while on workers that keep dying.

use std::time::Duration;

use crate::config::{declare::keys, groups::worker::longer_than_0, rules::reload, units::Seconds};

/// OTP's restart intensity: more than `max_restarts` deaths of a pool's
/// workers within `window` make the arbiter wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// So many restarts are normal.
    pub max_restarts: u32,
    /// Within this time.
    pub window: Duration,
}

keys! {
    /// Restarts.
    pub struct Restarts {
        /// more deaths of ready workers than this within `restart_window` make a pool wait
        max_restarts: u32 = 10, reload();
        /// the time in which `max_restarts` counts
        restart_window: Seconds = Seconds::of(60), reload().check(longer_than_0);
    }
}

impl Restarts {
    /// What the keys mean.
    pub fn meaning(&self) -> Intensity {
        Intensity { max_restarts: self.max_restarts(), window: self.restart_window().0 }
    }
}
