//! The life of the dirty arbiter, as seen from above.
//!
//! ```text
//!   down --start_if_due--> up (booting) --booted--> up (serving)
//!     ^                        |                      |
//!     +------- ended, not_started: after a pause -----+
//! ```

use std::time::{Duration, Instant};

use super::{
    liveness::{Beat, Liveness},
    pauses::Pauses,
};
use crate::clock::Deadline;

/// Whether the apps of a dirty arbiter that has booted are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// All of them.
    Whole,
    /// Not all of them.
    Degraded,
}

/// The dirty arbiter.
#[derive(Debug)]
pub(super) struct Life {
    stage: Stage,
    pauses: Pauses,
    /// How often there is a beat.
    every: Duration,
    /// The next beat: one row of them, whether there is a process or not.
    beat_at: Deadline,
}

#[derive(Debug)]
enum Stage {
    Down { start_at: Deadline },
    Up { since: Instant, health: Option<Health>, liveness: Liveness },
}

/// How one ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// Whether its first workers had booted.
    pub(super) was_ready: bool,
    /// How long it lived.
    pub(super) lived: Duration,
}

impl Life {
    /// One that is started at the first look, with a beat of `every`.
    pub(super) fn begin(every: Duration, now: Instant) -> Self {
        let stage = Stage::Down { start_at: now.into() };
        let beat_at = Deadline::after(now, every);
        Self { stage, pauses: Pauses::default(), every, beat_at }
    }

    /// Whether there is a process.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up { .. })
    }

    /// What it serves, once its first workers have booted.
    pub(super) fn health(&self) -> Option<Health> {
        match self.stage {
            Stage::Up { health, .. } => health,
            Stage::Down { .. } => None,
        }
    }

    /// When [`start_if_due`](Self::start_if_due) or [`beat`](Self::beat) has
    /// something to do.
    pub(super) fn due(&self) -> Deadline {
        match self.stage {
            Stage::Down { start_at } => start_at.min(self.beat_at),
            Stage::Up { .. } => self.beat_at,
        }
    }

    /// Returns true if a process is to be started now; then it counts as up.
    pub(super) fn start_if_due(&mut self, now: Instant) -> bool {
        let Stage::Down { start_at } = self.stage else { return false };
        if !start_at.is_over(now) {
            return false;
        }
        self.stage = Stage::Up { since: now, health: None, liveness: Liveness::default() };
        true
    }

    /// It said something. Returns false if there is no process to say it.
    pub(super) fn heard(&mut self) -> bool {
        let Stage::Up { liveness, .. } = &mut self.stage else { return false };
        liveness.heard();
        true
    }

    /// It was to end, with the process above it, which now stays.
    pub(super) fn matters_again(&mut self) {
        if let Stage::Up { liveness, .. } = &mut self.stage {
            liveness.matters_again();
        }
    }

    /// Its apps are served, or not. Returns true if it has just booted.
    pub(super) fn serves(&mut self, what: Health) -> bool {
        let Stage::Up { health, .. } = &mut self.stage else { return false };
        health.replace(what).is_none()
    }

    /// Time has passed.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if !self.beat_at.is_over(now) {
            return Beat::No;
        }
        self.beat_at = Deadline::after(now, self.every);
        match &mut self.stage {
            Stage::Up { liveness, .. } => liveness.beat(self.every),
            Stage::Down { .. } => Beat::NobodyToAsk,
        }
    }

    /// Its process has ended; none is started before
    /// [`start_again`](Self::start_again). `None` if there was none.
    pub(super) fn ended(&mut self, now: Instant) -> Option<Ended> {
        let Stage::Up { since, health, .. } = self.stage else { return None };
        self.stage = Stage::Down { start_at: Deadline::Never };
        Some(Ended { was_ready: health.is_some(), lived: now.saturating_duration_since(since) })
    }

    /// Starts the next one after a pause, which it returns.
    pub(super) fn start_again(&mut self, after: Ended, now: Instant) -> Duration {
        let pause = self.pauses.next(after.lived, after.was_ready);
        if let Stage::Down { start_at } = &mut self.stage {
            *start_at = Deadline::after(now, pause);
        }
        pause
    }
}
