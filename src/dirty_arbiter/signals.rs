//! The signals of the design's table, as what they ask for.

use std::io;

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Finish, then end.
    Drain(&'static str),
    /// End at once.
    Quit,
    /// Read the configuration and replace the workers.
    Reload,
    /// Open the log anew.
    ReopenLog,
    /// Start this number of workers, or end some if it is negative.
    Scale(i32),
}

/// The signals of this process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user1: Signal,
    more: Signal,
    fewer: Signal,
}

impl Signals {
    /// Takes them over.
    ///
    /// # Errors
    /// The reactor cannot watch them.
    pub fn new() -> io::Result<Self> {
        let raw = |number: Number| SignalKind::from_raw(number as i32);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            more: signal(raw(Number::SIGTTIN))?,
            fewer: signal(raw(Number::SIGTTOU))?,
        })
    }

    /// What is asked for next.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.quit.recv() => Asked::Quit,
            _ = self.terminate.recv() => Asked::Drain("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Drain("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.user1.recv() => Asked::ReopenLog,
            _ = self.more.recv() => Asked::Scale(1),
            _ = self.fewer.recv() => Asked::Scale(-1),
        }
    }
}
