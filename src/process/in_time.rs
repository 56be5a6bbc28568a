//! Work that may hang in the kernel, as whatever touches a file system does: its
//! mount may be gone.

use std::{io, sync::mpsc, thread, time::Duration};

use nix::sys::signal::SigSet;

/// Does `work` on a thread of its own, and waits up to `limit` for what it
/// returns. Work that is late is left to the kernel: its thread ends when that lets
/// it go.
///
/// # Errors
/// It is late, it panicked, or there can be no further thread.
pub fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (done, result) = mpsc::sync_channel(1);
    thread::Builder::new().name("in time".to_owned()).spawn(move || {
        // Signals are for the threads that expect them.
        let _ = SigSet::all().thread_block();
        let _ = done.send(work());
    })?;
    result.recv_timeout(limit).map_err(|error| match error {
        mpsc::RecvTimeoutError::Timeout => io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {limit:?}; does its file system hang?"),
        ),
        mpsc::RecvTimeoutError::Disconnected => io::Error::other("it panicked"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_not_waited_for() {
        let (_never, hangs) = mpsc::channel::<()>();
        let late = in_time(Duration::from_millis(1), move || hangs.recv().is_ok());
        assert_eq!(late.expect_err("it hangs").kind(), io::ErrorKind::TimedOut);
        assert_eq!(in_time(Duration::from_secs(60), || 7).expect("at once"), 7);
    }
}
