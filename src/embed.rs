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
//! embed::serve(load, Count(0))
//! # }
//! ```
//!
//! `examples/rust/embedded.rs` is a whole program.

use std::io;

use crate::{
    config::{Config, ConfigError},
    dirty_arbiter::{DirtyArbiter, Upstream},
    hooks::Hooks,
    listening_socket::ListeningSocket,
    logging::Log,
    server::ReloadConfig,
};

/// Serves as `dirtyd serve --single` does, with `hooks` in place of the
/// configured commands, until the process is told to end by TERM or INT, and
/// has drained. `load` returns the configuration, at first and for each reload.
///
/// The caller sees to it that one process serves a socket; PID files are the
/// command's.
///
/// # Errors
/// The configuration, the log or the socket cannot be used.
pub fn serve(
    load: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static,
    hooks: impl Hooks,
) -> io::Result<()> {
    let config = load().map_err(io::Error::other)?;
    let log = Log::start(&config.log)?;
    let mut socket = ListeningSocket::bind(&config)?;
    let listener = socket.give()?;
    let arbiter = DirtyArbiter {
        config,
        listener,
        reload: ReloadConfig::new(load),
        log,
        hooks: Some(Box::new(hooks)),
        upstream: Upstream::Nobody,
        owns_process: false,
    };
    let ended = arbiter.run();
    socket.close(false);
    ended
}
