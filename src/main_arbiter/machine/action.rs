//! What comes out of the machine.

use nix::sys::signal::Signal;

use super::{remark::Remark, upgrade_remark::UpgradeFailure};
use crate::{lifeline::Report, process::children::Exit};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a dirty arbiter.
    Start,
    /// Send the dirty arbiter a signal.
    Signal(Signal),
    /// Ask the dirty arbiter for a sign of life.
    Ping,
    /// Let the dirty arbiter take connections.
    Admit,
    /// Have the dirty arbiter finish, without killing a call, and end.
    GiveWay,
    /// Kill processes that belong to nobody; all of them, or those whose group
    /// has no leader.
    Sweep { all: bool },
    /// Write a line to the log.
    Log(Remark),
    /// Open the log anew.
    ReopenLog,
    /// Close the listening socket: nobody should wait for a service that ends.
    CloseSocket,
    /// Start the new binary.
    StartSuccessor,
    /// Send the new main arbiter a signal.
    SignalSuccessor(Signal),
    /// Let the new main arbiter take connections.
    AdmitSuccessor,
    /// Tell the new main arbiter that this one ends when its calls have.
    TellSuccessor,
    /// Tell whoever asked for the upgrade that the successor serves, or why not.
    Upgraded(Result<(), UpgradeFailure>),
    /// Take that back: the successor has ended.
    SuccessorLost(Exit),
    /// Report to the old main arbiter.
    TellPredecessor(Report),
    /// Take the plain name.
    TakeName,
    /// Tell systemd.
    Notify(Notice),
    /// End, with this exit code. It is the last action of a machine.
    Exit(u8),
}

/// What systemd is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Every app is served.
    Ready,
    /// Some app is not served.
    Degraded,
    /// The dirty arbiter died; another one starts.
    Restarting,
    /// A reload began.
    Reloading,
    /// The service ends.
    Stopping,
    /// The service is alive.
    Watchdog,
    /// The successor is the main process now; or not any more.
    SuccessorIsMain(bool),
}
