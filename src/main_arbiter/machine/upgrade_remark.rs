//! What the machine has to say about an upgrade, and why one fails.

use std::{fmt, time::Duration};

use super::remark::Level;
use crate::process::children::Exit;

/// A line of the log about an upgrade, in the old main arbiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpgradeRemark {
    /// It began.
    Begins,
    /// It was asked for while one runs.
    Runs,
    /// It was asked for while a refused successor ends.
    Waits,
    /// It was asked for after one that only waits for the end of this process.
    Unfinished,
    /// It was asked for, of a main arbiter that is itself new.
    StillNew,
    /// The successor serves.
    Serves,
    /// The successor serves, and this one is to end for that.
    TakesOver,
    /// The successor failed, or was refused.
    Failed(UpgradeFailure),
    /// The successor died after it served.
    SuccessorDied(Exit),
    /// The refused successor did not end in time.
    Overdue,
}

impl UpgradeRemark {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::Begins | Self::Waits | Self::Serves | Self::TakesOver => Level::Info,
            Self::Runs | Self::Unfinished => Level::Warn,
            Self::StillNew | Self::Failed(_) | Self::SuccessorDied(_) | Self::Overdue => {
                Level::Error
            }
        }
    }
}

impl fmt::Display for UpgradeRemark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begins => "SIGUSR2: starting the new binary on the same socket",
            Self::Runs => "SIGUSR2: an upgrade is under way; the new binary is starting",
            Self::Waits => "SIGUSR2: the next upgrade will begin when the refused main arbiter has exited",
            Self::Unfinished => {
                "SIGUSR2: the new main arbiter is already serving; send TERM to this one to finish the upgrade"
            }
            Self::StillNew => {
                "SIGUSR2: no upgrade: this main arbiter is itself new; stop the old one first"
            }
            Self::Serves => {
                "the new main arbiter serves beside this one; send TERM to this one to finish the upgrade"
            }
            Self::TakesOver => "the new main arbiter serves; this one will finish its calls and exit",
            Self::Overdue => "the refused new main arbiter did not exit in time; killing it",
            Self::Failed(why) => {
                return write!(f, "the upgrade failed; this main arbiter stays in charge: {why}");
            }
            Self::SuccessorDied(exit) => {
                return write!(f, "the new main arbiter {exit}; this one stays in charge");
            }
        })
    }
}

/// Why an upgrade failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeFailure {
    /// The new binary could not be started, and why.
    #[error("{0}")]
    NotStarted(String),
    /// It ended too early.
    #[error("the new main arbiter {0} before it was ready")]
    Exited(Exit),
    /// It took longer than this.
    #[error("it was not ready within {0:?}")]
    TooLate(Duration),
    /// Some app is served by the old one only.
    #[error("it cannot serve every app, as the old one can")]
    ServesLess,
    /// Somebody told the old one to end meanwhile.
    #[error("the old main arbiter was told to stop")]
    OldOneEnds,
}
