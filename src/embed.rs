//! Running the arbiter inside another program, with hooks of its own.
//!
//! ```no_run
//! use dirtyd::{
//!     config::{Config, Raw},
//!     embed,
//!     hooks::{ArbiterFacts, Hooks, WorkerFacts},
//! };
//!
//! struct Count(usize);
//!
//! impl Hooks for Count {
//!     fn dirty_worker_exit(&mut self, _: &ArbiterFacts, worker: &WorkerFacts) {
//!         self.0 += 1;
//!         eprintln!("worker {} was exit number {}: {}", worker.id, self.0, worker.message);
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let load = || Config::from_raw(Raw::from_file("dirtyd.toml".as_ref())?);
//! embed::serve(load, Count(0), embed::terminated())
//! # }
//! ```
//!
//! `examples/rust/embedded.rs` is a whole program.

use std::{
    future::Future,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{Config, ConfigError},
    dirty_arbiter::{DirtyArbiter, Upstream},
    hooks::Hooks,
    listening_socket::ListeningSocket,
    observe::Outlets,
    server::ReloadConfig,
};

/// Serves as `dirtyd serve --single` does, with `hooks` in place of the configured
/// commands, until `stop` resolves, and has drained. `load` returns the
/// configuration, at first and for each reload. Blocks this thread, on which `stop`
/// is awaited too, inside a tokio runtime.
///
/// The process stays the caller's: signals are (`stop` may be [`terminated`]), its
/// file mode mask is, and so is the log: events go to the `tracing` subscriber that
/// is there, and the keys of the log mean nothing. So is it to see that one process
/// serves a socket; PID files are the command's.
///
/// # Errors
/// The configuration or the socket cannot be used.
pub fn serve(
    load: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
    hooks: impl Hooks,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let config = load().map_err(io::Error::other)?;
    Outlets::check(&config)?;
    let mut socket = ListeningSocket::bind(&config)?;
    let listener = socket.give()?;
    let socket = Arc::new(Mutex::new(socket));
    let arbiter = DirtyArbiter {
        config,
        listener,
        file: Some(Arc::clone(&socket)),
        reload: ReloadConfig::new(load),
        log: None,
        hooks: Some(Box::new(hooks)),
        upstream: Upstream::Nobody,
        stop: Some(Box::pin(stop)),
        owns_process: false,
    };
    let ended = arbiter.run();
    socket.lock().unwrap_or_else(PoisonError::into_inner).close(false);
    ended
}

/// Resolves when this process gets TERM or INT, for a program that has no handling of
/// its own. From then on neither of them ends the process by itself.
pub async fn terminated() {
    let [terminate, interrupt] = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        // Then each of them ends the process, as it did before.
        _ => std::future::pending().await,
    }
}
