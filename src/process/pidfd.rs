//! Descriptors that stand for processes: they become readable when the process
//! ends, and a signal sent through one can never hit a reused process id.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd, FromRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

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

/// Sends a signal with a value, as sigqueue(3) does, to exactly the process behind
/// `pidfd`. A value is lost where the same signal waits already.
///
/// # Errors
/// As [`send_signal`].
#[allow(unsafe_code)]
pub fn send_value(pidfd: &impl AsRawFd, signal: i32, value: i32) -> io::Result<()> {
    let info = Queued {
        signo: signal,
        errno: 0,
        code: libc::SI_QUEUE,
        align: 0,
        pid: std::process::id() as i32,
        uid: nix::unistd::getuid().as_raw(),
        value: value as isize,
        rest: [0; 96],
    };
    // SAFETY: `info` is laid out as the kernel's siginfo of a queued signal, 128
    // bytes that outlive the call; the kernel only reads them.
    let done = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, &raw const info, 0)
    };
    Errno::result(done)?;
    Ok(())
}

/// A siginfo of a signal that was sent with a value, as 64-bit Linux has it.
#[repr(C)]
struct Queued {
    signo: i32,
    errno: i32,
    code: i32,
    align: i32,
    pid: i32,
    uid: u32,
    value: isize,
    rest: [u8; 96],
}

const _: () = assert!(size_of::<Queued>() == size_of::<libc::siginfo_t>());

/// Waits until the process has ended, for `limit` at most. Returns whether it has.
pub fn wait(pidfd: &OwnedFd, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, so that the last wait does not spin.
        let left =
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) if Instant::now() >= until => return false,
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}
