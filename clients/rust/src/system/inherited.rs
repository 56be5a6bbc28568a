//! The socket that a worker process inherits from its arbiter.

use std::{
    env, io,
    os::{
        fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    sync::atomic::{AtomicBool, Ordering},
};

use socket2::{SockRef, Type};

/// The environment variable that names the descriptor.
const VARIABLE: &str = "DIRTYD_WORKER_FD";

/// Takes the socket over, once; processes that this one starts do not get it.
///
/// # Errors
/// The environment names no stream socket, or the socket is taken already.
pub fn take_worker_socket() -> io::Result<UnixStream> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let text = env::var(VARIABLE).unwrap_or_default();
    let refused = |why: &str| {
        io::Error::other(format!(
            "{VARIABLE}={text:?} {why}; dirtyd starts this program itself, see [[pool]] in its configuration"
        ))
    };
    let number: RawFd = text.parse().map_err(|_| refused("names no descriptor"))?;
    if !is_stream_socket(number) {
        return Err(refused("is not a stream socket"));
    }
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(refused("is already taken"));
    }
    let socket = own(number);
    SockRef::from(&socket).set_cloexec(true)?;
    Ok(UnixStream::from(socket))
}

#[allow(unsafe_code)]
fn is_stream_socket(number: RawFd) -> bool {
    if number < 0 {
        return false;
    }
    // SAFETY: the borrow ends with this function, and getsockopt is well defined
    // for every number that is not -1: one that is not open fails with EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    SockRef::from(&fd).r#type().is_ok_and(|kind| kind == Type::STREAM)
}

#[allow(unsafe_code)]
fn own(number: RawFd) -> OwnedFd {
    // SAFETY: the descriptor is open (it has just been asked for its type), the
    // arbiter opened it for us alone, nothing else in this process knows its
    // number, and `TAKEN` lets only one call get here.
    unsafe { OwnedFd::from_raw_fd(number) }
}
