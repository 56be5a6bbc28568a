//! What goes into the machine.

use nix::sys::signal::Signal;

use crate::{lifeline::Report, process::children::Exit};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This process received a signal.
    Signal(Signal),
    /// Somebody wants an upgrade, and this process to end as soon as the new binary
    /// serves.
    UpgradeAndEnd,
    /// The dirty arbiter reported something.
    Report(Report),
    /// The dirty arbiter ended.
    DirtyExited(Exit),
    /// The dirty arbiter could not even be started.
    StartFailed,
    /// The new main arbiter of an upgrade reported something.
    SuccessorReport(Report),
    /// The new main arbiter ended.
    SuccessorExited(Exit),
    /// The new main arbiter could not even be started, and why.
    SuccessorNotStarted(String),
    /// The old main arbiter, which started this one for an upgrade, lets it take
    /// connections.
    Admitted,
    /// That old main arbiter ends when its calls have.
    PredecessorLeaves,
    /// That old main arbiter is gone.
    PredecessorGone,
    /// An adopted process ended; its children are ours now.
    StrayEnded,
    /// Time has passed.
    Alarm,
}
