//! Whether the dirty arbiter lives: it is asked for a sign of life at every beat,
//! and one that leaves [`SILENCE`] unanswered is stuck or stopped.
//!
//! Silence is counted in beats of this process, not by the clock. While this
//! process is itself stopped, or gets no core, nobody asks, and a dirty arbiter
//! that was not asked is not silent.

use std::time::Duration;

use crate::patience::SILENCE;

/// What to do at a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing is due.
    No,
    /// There is no dirty arbiter to ask.
    NobodyToAsk,
    /// Ask for a sign of life.
    Ask,
    /// It was asked often enough, for the first time.
    Silent,
}

/// The signs of life of one dirty arbiter.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// The time that pings have been unanswered.
    silent: Duration,
    /// Whether a ping has been sent since the last sign of life.
    asked: bool,
    given_up: bool,
}

impl Liveness {
    /// It said something, whatever it was.
    pub(super) fn heard(&mut self) {
        self.silent = Duration::ZERO;
        self.asked = false;
    }

    /// That it is silent was overlooked, because it was to end anyway; it is not any
    /// more.
    pub(super) fn matters_again(&mut self) {
        self.given_up = false;
    }

    /// A beat has come, `every` after the last one if this process ran all the
    /// time.
    pub(super) fn beat(&mut self, every: Duration) -> Beat {
        if std::mem::replace(&mut self.asked, true) {
            self.silent += every;
        }
        if self.silent >= SILENCE && !std::mem::replace(&mut self.given_up, true) {
            return Beat::Silent;
        }
        Beat::Ask
    }
}
