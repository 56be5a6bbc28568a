//! The main arbiter: the small process above the dirty arbiter. It owns the
//! listening socket and the names, and so outlives whatever happens below: as
//! long as it lives, callers that connect wait in the socket's backlog and are
//! served by the next dirty arbiter.
//!
//! ```text
//!   signals, ends of children, reports, time
//!         |  reactor: one thread, one poll(2)
//!         v
//!      machine (pure) --actions--> reactor: fork, signal, rename, notify
//! ```
//!
//! It runs no async runtime, no call passes through it, and no work is done in
//! signal handlers: signals are blocked and read from a descriptor. Beside its
//! thread there is only the log's, so that a full pipe never stops it.

mod again;
mod instance;
mod machine;
mod names;
mod reactor;
#[cfg(any(test, feature = "internals"))]
pub mod simulation;
mod systemd;

use std::{ffi::OsString, os::fd::RawFd};

pub use again::{Succession, Supervision};
pub use names::Names;
pub use reactor::UPGRADE_AND_END;

use again::Again;
use reactor::{Parts, Reactor};

use crate::{
    config::Config,
    listening_socket::ListeningSocket,
    logging::{self, Log},
    observe::Outlets,
    process::{memo::Memo, pidfile::PidFile},
    working_dir::WorkingDir,
};

/// Runs the main arbiter until it was told to end, and has. Returns the exit
/// code: 0 after a clean drain.
///
/// `valid` is the text of the configuration, which its dirty arbiters keep up to
/// date and fall back to. `folder` is the working directory that all processes of
/// the instance are to have.
///
/// # Errors
/// The name is taken, or the log, the socket or the PID files cannot be used.
pub fn run(
    config: &Config,
    valid: Memo,
    folder: &WorkingDir,
    succession: Option<Succession>,
) -> anyhow::Result<u8> {
    // Before the log's thread starts, which would take them otherwise.
    let signals = reactor::signals()?;
    let log = Log::start(&config.log)?;
    Outlets::check(config)?;
    logging::sources(config);
    let names = Names::new(&config.runtime_dir, &config.proc_name);
    let (file, instance, socket, predecessor) = match succession {
        None => {
            let file = names.claim()?;
            let instance = names.clear(config.graceful_timeout)?;
            let socket =
                ListeningSocket::bind_or_inherit(config).inspect_err(|_| instance.retire())?;
            (file, instance, socket, None)
        }
        Some(succession) => {
            let file = PidFile::take(&names.successor().main())?;
            let (listener, owns_file) = (succession.listener, succession.owns_socket_file);
            let socket = ListeningSocket::succeed(listener, owns_file, config)?;
            (file, names.instance()?, socket, Some(succession.predecessor()?))
        }
    };
    let again = Again::new(folder);
    let parts = Parts { names, again, valid, instance, file, socket, predecessor };
    Ok(Reactor::new(config, log, signals, parts).run()?)
}

/// What a descriptor's number is as an argument.
fn number(fd: RawFd) -> OsString {
    fd.to_string().into()
}
