//! Descriptors that this process was started with: taking them over, once each.

use std::{
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixListener,
    },
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::socket::{UnixAddr, getsockname, getsockopt, sockopt},
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

/// A listening Unix socket among what was inherited.
///
/// # Errors
/// It is something else.
pub fn listener(fd: RawFd) -> io::Result<UnixListener> {
    let not = |what: &str| io::Error::other(format!("inherited descriptor {fd} {what}"));
    let socket = inherited(fd).map_err(|error| not(&format!("cannot be used: {error}")))?;
    let address = getsockname::<UnixAddr>(socket.as_raw_fd());
    if address.is_err() {
        return Err(not("is no Unix socket"));
    }
    if !getsockopt(&socket, sockopt::AcceptConn).unwrap_or(false) {
        return Err(not("does not listen"));
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
