//! The ladder that work climbs when it does not end in its time.
//!
//! ```text
//!   running --timeout--> raised --half of kill_grace--> dumped --rest--> killed
//! ```

use std::time::{Duration, Instant};

use crate::clock::Deadline;

/// What is due on the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Climb {
    /// Raise in the action.
    Raise,
    /// Log the worker's stacks.
    DumpStacks,
    /// Kill the worker.
    Kill,
}

#[derive(Debug, Clone, Copy)]
enum Rung {
    Running,
    Raised(Instant),
    /// The instant is that of the raise.
    Dumped(Instant),
    Killed,
}

/// Where a call is on the ladder.
#[derive(Debug)]
pub struct Ladder {
    rung: Rung,
    kill_grace: Duration,
}

impl Ladder {
    /// A call that has just started.
    pub fn new(kill_grace: Duration) -> Self {
        Self { rung: Rung::Running, kill_grace }
    }

    /// Whether the call is still on the ground.
    pub fn is_running(&self) -> bool {
        matches!(self.rung, Rung::Running)
    }

    /// When the next rung is due; the first one is due at `timeout`.
    pub fn due(&self, timeout: Deadline) -> Deadline {
        match self.rung {
            Rung::Running => timeout,
            Rung::Raised(at) => Deadline::after(at, self.kill_grace / 2),
            Rung::Dumped(raised) => Deadline::after(raised, self.kill_grace),
            Rung::Killed => Deadline::Never,
        }
    }

    /// Climbs one rung if it is due.
    pub fn step(&mut self, timeout: Deadline, now: Instant) -> Option<Climb> {
        if !self.due(timeout).is_over(now) {
            return None;
        }
        let (rung, climb) = match self.rung {
            Rung::Running => (Rung::Raised(now), Climb::Raise),
            Rung::Raised(at) => (Rung::Dumped(at), Climb::DumpStacks),
            Rung::Dumped(_) | Rung::Killed => (Rung::Killed, Climb::Kill),
        };
        self.rung = rung;
        Some(climb)
    }
}
