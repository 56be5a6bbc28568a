//! The stages of a worker's life.

use super::turn::Reach;
use crate::{call::EndedBy, clock::Deadline};

/// Where a worker is in its life; the picture is in the documentation of
/// [`super`].
#[derive(Debug)]
pub enum Stage {
    /// Its first list of apps is not loaded yet.
    Booting(Boot),
    /// It takes calls.
    Serving,
    /// It was asked to exit, and finishes its calls first.
    Draining {
        /// When it is killed; never while calls run.
        exit_by: Deadline,
    },
    /// Its socket has ended; it may exit by itself.
    Leaving {
        /// When it is killed.
        by: Deadline,
        /// The reason that is given for it then.
        overdue: &'static str,
    },
    /// It was killed; its end is on its way.
    Killed {
        /// Why.
        why: String,
        /// Its exit was overdue. It may have been about to end by itself.
        overdue: bool,
    },
    /// The process has ended; what it left in its socket is read.
    Burying(Burial),
    /// The pool knows that it is dead.
    Buried,
}

/// The time of a boot.
#[derive(Debug)]
pub struct Boot {
    /// When it should have ended.
    pub until: Deadline,
    /// The number of inits of the first list that are still to come; `None`
    /// before the list is known.
    pub left: Option<usize>,
}

/// What is known at a worker's end.
#[derive(Debug)]
pub struct Burial {
    /// How it ended.
    pub ended: EndedBy,
    /// The number of requests of which it may have read something.
    pub begun: u64,
    /// The number of frames that may still be read.
    pub frames: u64,
}

impl Stage {
    /// How far a worker in this stage can be reached.
    pub fn reach(&self) -> Reach {
        match self {
            Self::Booting(_) | Self::Serving | Self::Draining { .. } => Reach::Socket,
            Self::Leaving { .. } => Reach::Signals,
            Self::Killed { .. } | Self::Burying(_) | Self::Buried => Reach::Nothing,
        }
    }

    /// Whether frames of the worker are read.
    pub fn reads(&self) -> bool {
        self.reach() == Reach::Socket || matches!(self, Self::Burying(_))
    }

    /// Whether its process has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Burying(_) | Self::Buried)
    }

    /// When the exit of the process is overdue.
    pub fn exit_due(&self) -> Deadline {
        match self {
            Self::Draining { exit_by } => *exit_by,
            Self::Leaving { by, .. } => *by,
            _ => Deadline::Never,
        }
    }

    /// When the boot is overdue; `None` once it has ended.
    pub fn boot_due(&self) -> Option<Deadline> {
        match self {
            Self::Booting(boot) => Some(boot.until),
            _ => None,
        }
    }
}
