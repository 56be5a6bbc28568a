//! Descriptors: taking over those that this process was started with, once each,
//! and how many it may open.

use std::{
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
    sync::OnceLock,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        socket::{UnixAddr, getsockname, getsockopt, sockopt},
    },
};

/// Takes a descriptor over from whoever started this process, and keeps it from
/// being inherited further.
///
/// # Errors
/// It is not open.
#[allow(unsafe_code)]
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd <= 2 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: the number comes from the parent, which left this descriptor open
    // for nothing else; fcntl below refuses one that is not open, before
    // anything can be closed by mistake.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    match fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
        Ok(_) => Ok(fd),
        Err(error) => {
            std::mem::forget(fd); // not open: not ours to close
            Err(error.into())
        }
    }
}

/// The number of descriptors that this process has open.
pub fn open() -> u64 {
    // One of them reads the folder.
    std::fs::read_dir("/proc/self/fd").map_or(0, |all| all.count().saturating_sub(1) as u64)
}

/// The number that it may open.
pub fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

/// A listening Unix socket among what was inherited.
///
/// # Errors
/// It is something else.
pub fn listener(fd: RawFd) -> io::Result<UnixListener> {
    let not = |what: &str| io::Error::other(format!("inherited descriptor {fd} {what}"));
    let socket = inherited(fd).map_err(|error| not(&format!("cannot be used: {error}")))?;
    let address = getsockname::<UnixAddr>(socket.as_raw_fd());
    if address.is_err() {
        return Err(not("is not a Unix socket"));
    }
    if !getsockopt(&socket, sockopt::AcceptConn).unwrap_or(false) {
        return Err(not("is not listening"));
    }
    Ok(UnixListener::from(socket))
}

/// The socket that systemd passed, if it passed one (`LISTEN_FDS`).
///
/// # Errors
/// It passed several, or something else.
pub fn from_systemd() -> io::Result<Option<UnixListener>> {
    let mut passed = sd_notify::listen_fds()?;
    match (passed.len(), passed.next()) {
        (0, _) | (_, None) => Ok(None),
        (1, Some(fd)) => listener(fd).map(Some),
        (n, _) => Err(io::Error::other(format!(
            "LISTEN_FDS: {n} sockets were passed, dirtyd listens on one; write one ListenStream="
        ))),
    }
}

/// The soft and the hard limit that this process was started with.
static STARTED_WITH: OnceLock<(u64, u64)> = OnceLock::new();

/// Raises the limit on open descriptors as far as this process may, and returns
/// it. The usual soft limit of 1024 is for programs that call select(2);
/// workers may be such, and get it back.
///
/// # Errors
/// The kernel does not say.
pub fn raise_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let _ = STARTED_WITH.set((soft, hard));
    let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
    Ok(if raised { hard } else { soft })
}

/// The limits to restore in a child, if they were raised.
pub(super) fn limits_before() -> Option<(u64, u64)> {
    STARTED_WITH.get().copied()
}

/// In a child between fork and exec: restores them.
///
/// # Errors
/// None is expected: they are not above those that there are.
pub(super) fn give_back(limits: Option<(u64, u64)>) -> io::Result<()> {
    let Some((soft, hard)) = limits else { return Ok(()) };
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(())
}
