//! The edge alone, with a service of somebody else's and no workers.

use std::{future::pending, io, os::unix::net::UnixListener};

use tokio::sync::mpsc;

use crate::{
    config::{Config, ConfigError, Raw},
    pool,
    server::{Edge, Further, ReloadConfig, UnixSocket},
};

/// Serves `further` on a socket, for ever.
///
/// # Errors
/// The socket or the descriptors of the service cannot be used.
pub async fn serve_edge(
    socket: UnixListener,
    max_message_size: Option<usize>,
    further: Further,
) -> io::Result<()> {
    let mut config = config().map_err(io::Error::other)?;
    if let Some(size) = max_message_size {
        config.limits.max_message_size = size;
    }
    let (pool, _) = pool::start(&config);
    let listener = UnixSocket::new(socket)?;
    let edge = Edge::on(listener, &config, &pool, ReloadConfig::new(self::config), Some(further))?;
    edge.serve(async {}, pending(), mpsc::channel(1).1).await;
    Ok(())
}

fn config() -> Result<Config, ConfigError> {
    let apps = "nobody:Nobody".parse().into_iter().collect();
    let mut config = Config::from_raw(Raw::of_apps(apps))?;
    for pool in &mut config.pools {
        pool.workers = 0;
    }
    Ok(config)
}
