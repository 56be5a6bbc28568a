//! Signals as events: blocked, and read from a descriptor.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::{
    sys::{
        signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::Pid,
};

/// Signals a child that is not reaped yet, so that its id cannot be reused.
pub fn send(child: i32, signal: Signal) {
    // ESRCH cannot be, EPERM means that it runs as another user by now.
    if let Err(error) = kill(Pid::from_raw(child), signal) {
        tracing::warn!("cannot send {signal} to process {child}: {error}");
    }
}

/// Signals that are delivered nowhere else.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks `signals` in this thread and those that it starts from now on.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn new(signals: &[Signal]) -> io::Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&set, flags)?))
    }

    /// The next one that has come.
    pub fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok().flatten()?;
        Signal::try_from(info.ssi_signo as i32).ok()
    }

    /// Readable when one has come.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
