//! Descriptors that stand for processes: they become readable when the process
//! ends, and a signal sent through one can never hit a reused process id.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd as _, OwnedFd},
};

use nix::{errno::Errno, libc};

/// Opens a descriptor for a process (close-on-exec).
///
/// # Errors
/// ESRCH if there is no such process.
#[allow(unsafe_code)]
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes a pid and flags and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = Errno::result(fd)?;
    // SAFETY: the call succeeded, so `fd` is a new descriptor that nobody owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal to exactly the process behind `pidfd`.
///
/// # Errors
/// ESRCH once it has ended, EPERM if it is not ours to signal.
#[allow(unsafe_code)]
pub fn send_signal(pidfd: &impl AsRawFd, signal: i32) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is documented to mean "as kill(2) would fill it";
    // nothing else is a pointer.
    let done = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0)
    };
    Errno::result(done)?;
    Ok(())
}
