//! The socket that callers connect to, and its file: bound here or inherited,
//! handed to children and successors, removed at the end. Connections are
//! accepted elsewhere (`server/listener.rs`).

use std::{
    fs, io,
    os::{
        fd::{OwnedFd, RawFd},
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use nix::sys::stat::{Mode, umask};

use crate::{config::Config, process::descriptors};

/// The listening socket. The file is removed by whoever made it, at its end.
#[derive(Debug)]
pub struct ListeningSocket {
    listener: Option<UnixListener>,
    file: Option<(PathBuf, (u64, u64))>,
}

impl ListeningSocket {
    /// The socket that systemd passed, or a new one, as
    /// [`bind`](Self::bind) makes it.
    ///
    /// # Errors
    /// It cannot be used; the text names it.
    pub fn bind_or_inherit(config: &Config) -> io::Result<Self> {
        if let Some(listener) = descriptors::from_systemd()? {
            tracing::info!("listening on the socket that systemd passed");
            return Ok(Self { listener: Some(listener), file: None });
        }
        Self::bind(config)
    }

    /// A new one, with its file mode from the start. A socket file that nobody
    /// listens on any more is replaced; a live one is not.
    ///
    /// # Errors
    /// The path is taken, or cannot be made; the text names it.
    pub fn bind(config: &Config) -> io::Result<Self> {
        let listener = bind(&config.socket, config.socket_mode)?;
        let file = identity(&config.socket).map(|id| (config.socket.clone(), id));
        Ok(Self { listener: Some(listener), file })
    }

    /// The socket that a main arbiter hands to its successor, as descriptor
    /// `inherited`. With `owns_file` its file goes with it.
    ///
    /// # Errors
    /// What was inherited is no listening socket.
    pub fn succeed(inherited: RawFd, owns_file: bool, config: &Config) -> io::Result<Self> {
        let listener = descriptors::listener(inherited)?;
        let path = listener.local_addr()?.as_pathname().map(Path::to_owned);
        if path.as_deref().is_some_and(|path| path != config.socket) {
            tracing::warn!(
                "socket: an upgrade keeps listening on {}; the new {} takes a restart",
                path.as_deref().unwrap_or(Path::new("")).display(),
                config.socket.display()
            );
        }
        let file = path.filter(|_| owns_file);
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

    /// Hands the socket to whoever accepts from it and closes it; its file stays
    /// with this.
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

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let context = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", path.display()))
    };
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            let taken = io::Error::other(
                "a file that is not a socket stands there; remove it or choose another path",
            );
            return Err(context(taken));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            let taken = io::Error::new(io::ErrorKind::AddrInUse, "another process serves it");
            return Err(context(taken));
        }
        Ok(_) => fs::remove_file(path).map_err(context)?,
        Err(_) => {}
    }
    // A umask of 0777 leaves no moment in which others could connect.
    let before = umask(Mode::from_bits_truncate(0o777));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener.map_err(context)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(context)?;
    listener.set_nonblocking(true).map_err(context)?;
    Ok(listener)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
