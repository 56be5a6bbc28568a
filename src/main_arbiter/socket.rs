//! The listening socket and its file.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{fs::MetadataExt as _, net::UnixListener},
    },
    path::{Path, PathBuf},
};

use super::again::Succession;
use crate::{config::Config, process::descriptors, server::bind};

/// The listening socket. The file is removed by whoever made it, at its end.
#[derive(Debug)]
pub struct Socket {
    listener: Option<UnixListener>,
    file: Option<(PathBuf, (u64, u64))>,
}

impl Socket {
    /// The socket that systemd passed, or a new one.
    ///
    /// # Errors
    /// It cannot be used; the text names it.
    pub fn bind_or_inherit(config: &Config) -> io::Result<Self> {
        if let Some(listener) = descriptors::from_systemd()? {
            tracing::info!("listening on the socket that systemd passed");
            return Ok(Self { listener: Some(listener), file: None });
        }
        let listener = bind(&config.socket, config.socket_mode)?;
        let file = identity(&config.socket).map(|id| (config.socket.clone(), id));
        Ok(Self { listener: Some(listener), file })
    }

    /// The socket of the main arbiter that this one is to succeed.
    ///
    /// # Errors
    /// What was inherited is no listening socket.
    pub fn succeed(succession: &Succession, config: &Config) -> io::Result<Self> {
        let listener = descriptors::listener(succession.listener)?;
        let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
        if path.as_deref().is_some_and(|path| path != config.socket) {
            tracing::warn!(
                "socket: an upgrade keeps listening on {}; the new {} takes a restart",
                path.as_deref().unwrap_or(Path::new("")).display(),
                config.socket.display()
            );
        }
        let file = path.filter(|_| succession.owns_socket_file);
        let file = file.and_then(|path| identity(&path).map(|id| (path, id)));
        Ok(Self { listener: Some(listener), file })
    }

    /// Whether its file is to be removed at the end.
    pub fn owns_file(&self) -> bool {
        self.file.is_some()
    }

    /// Another descriptor of it, for a child.
    ///
    /// # Errors
    /// It is closed, or the kernel has no descriptor left.
    pub fn share(&self) -> io::Result<OwnedFd> {
        let listener = self.listener.as_ref().ok_or_else(|| io::Error::other("it is closed"))?;
        Ok(listener.try_clone()?.into())
    }

    /// Gives the socket away, to who closes it first; its file stays this one's.
    ///
    /// # Errors
    /// It is closed.
    pub fn give(&mut self) -> io::Result<UnixListener> {
        self.listener.take().ok_or_else(|| io::Error::other("it is closed"))
    }

    /// Closes it. With `leave` its file stays, for another owner.
    pub fn close(&mut self, leave: bool) {
        self.listener = None;
        if let Some((path, id)) = self.file.take()
            && !leave
            && identity(&path) == Some(id)
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
