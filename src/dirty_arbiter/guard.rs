//! The last resort against a dirty arbiter that is stuck while nobody is above
//! it any more. A main arbiter kills one that gives no sign of life; when that
//! is gone itself, this thread waits for as long as the main arbiter would have,
//! and ends the process. Its workers end with it, by the kernel's hand.

use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
};

use crate::process::signals;

/// What the thread needs, which only waits.
const STACK: usize = 64 * 1024;

/// Starts the thread. `patience` is how long an end may take in order.
///
/// # Errors
/// The kernel has no thread or descriptor left.
pub fn start(lifeline: &UnixStream, patience: Duration) -> io::Result<()> {
    let lifeline = OwnedFd::from(lifeline.try_clone()?);
    let watch = move || {
        wait_for_end(&lifeline);
        thread::sleep(patience);
        // Without the log: what is stuck may hold its lock.
        signals::send(std::process::id() as i32, Signal::SIGKILL);
    };
    thread::Builder::new().name("guard".to_owned()).stack_size(STACK).spawn(watch)?;
    Ok(())
}

/// Waits until the other end is gone. Data is not this thread's to wait for.
fn wait_for_end(lifeline: &OwnedFd) {
    loop {
        let mut fds = [PollFd::new(lifeline.as_fd(), PollFlags::empty())];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => return,
            Err(Errno::EINTR) => {}
            // It cannot wait, so it must not end anything.
            Err(_) => loop {
                thread::park();
            },
        }
    }
}
