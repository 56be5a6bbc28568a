//! Running the arbiter inside another program, with hooks of its own.

use std::{io, sync::Arc};

use crate::{
    config::{Config, ConfigError},
    dirty_arbiter::{DirtyArbiter, Upstream},
    hooks::Hooks,
    logging::Log,
    server::bind,
};

/// Serves as `dirtyd serve --single` does, with `hooks` in place of the
/// configured commands, until the process is told to end by TERM or INT, and
/// has drained. `load` gives the configuration, at first and for each reload.
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
    let listener = bind(&config.socket, config.socket_mode)?;
    let socket = config.socket.clone();
    let arbiter = DirtyArbiter {
        config,
        listener,
        reload: Arc::new(load),
        log,
        hooks: Some(Box::new(hooks)),
        upstream: Upstream::Nobody,
    };
    let ended = arbiter.run();
    let _ = std::fs::remove_file(socket);
    ended
}
