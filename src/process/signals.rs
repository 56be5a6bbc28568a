//! Signals as events: blocked, and read from a descriptor.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use nix::{
    libc,
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

    /// The next one that has come, with the value that was sent with it; 0 if none
    /// was.
    pub fn next(&self) -> Option<(Signal, i32)> {
        let info = self.0.read_signal().ok().flatten()?;
        let value = if info.ssi_code == libc::SI_QUEUE { info.ssi_int } else { 0 };
        Some((Signal::try_from(info.ssi_signo as i32).ok()?, value))
    }

    /// Readable when one has come.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
