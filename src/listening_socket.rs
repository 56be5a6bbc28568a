//! The socket that callers connect to, and its file: bound here or inherited,
//! handed to children and successors, removed at the end. Connections are
//! accepted elsewhere (`server/listener.rs`).

use std::{
    fs, io,
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{
            fs::{FileTypeExt as _, PermissionsExt as _},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, OFlag, open},
    sys::{
        socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket},
        stat::{Mode, SFlag, fstat, umask},
    },
    unistd::{Gid, fchownat, geteuid},
};

use crate::{
    config::Config,
    process::{descriptors, inode::Inode},
};

/// The listening socket. The file is removed by whoever made it, at its end.
#[derive(Debug)]
pub struct ListeningSocket {
    listener: Option<UnixListener>,
    file: Option<(PathBuf, Inode)>,
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
        let listener = bind(&config.socket, config.socket_mode, config.socket_gid)?;
        let file = Inode::at(&config.socket).ok().map(|inode| (config.socket.clone(), inode));
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
        let file = file.and_then(|path| Inode::at(&path).ok().map(|inode| (path, inode)));
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
        if let Some((path, inode)) = self.file.take()
            && !leave
            && Inode::at(&path).is_ok_and(|there| there == inode)
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn bind(path: &Path, mode: u32, gid: Option<u32>) -> io::Result<UnixListener> {
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
        Ok(_) => {
            check_stale(path).map_err(context)?;
            fs::remove_file(path).map_err(context)?;
        }
        Err(_) => {}
    }
    // The file has its mode from its first moment, and is never looked up again for
    // that: whoever owns the folder could have put another one there. With a group,
    // nobody but this user may connect before it has it.
    let first = if gid.is_some() { mode & 0o700 } else { mode };
    let before = umask(Mode::from_bits_truncate(0o777 & !first));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener.map_err(context)?;
    if let Some(gid) = gid {
        give_to_group(path, gid, mode).map_err(context)?;
    }
    listener.set_nonblocking(true).map_err(context)?;
    Ok(listener)
}

/// Checks that nobody listens on a socket any more: the kernel refuses to connect.
/// It does not wait, whatever stands there.
///
/// # Errors
/// Somebody listens, or may; it is not removed.
fn check_stale(path: &Path) -> io::Result<()> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let why = match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => return Ok(()),
        Ok(()) | Err(Errno::EAGAIN) => "another process serves it".to_owned(),
        Err(Errno::EPROTOTYPE) => "a socket of another kind stands there".to_owned(),
        Err(error) => format!("whether another process serves it cannot be seen: {error}"),
    };
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("{why}; end that, or choose another path"),
    ))
}

/// Puts the file that was just made into a group. Nothing is followed: what stands
/// there instead by now must be a socket of this user.
fn give_to_group(path: &Path, gid: u32, mode: u32) -> io::Result<()> {
    let named = |error| io::Error::other(format!("socket_group: {error}"));
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(|error| named(error.into()))?;
    let found = fstat(&file)?;
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK
        || found.st_uid != geteuid().as_raw()
    {
        return Err(named(io::Error::other("the socket was replaced by something else")));
    }
    let group = Some(Gid::from_raw(gid));
    fchownat(&file, "", None, group, AtFlags::AT_EMPTY_PATH).map_err(|error| {
        named(io::Error::other(format!(
            "the socket cannot be given to group {gid}: {error}; dirtyd has to be root or in that group"
        )))
    })?;
    // By its descriptor, since no call changes the mode of what O_PATH has opened.
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(itself, fs::Permissions::from_mode(mode)).map_err(named)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use nix::sys::socket::{Backlog, bind as bind_address, listen};

    use super::*;

    fn refused(path: &Path) -> String {
        let error = bind(path, 0o600, None).expect_err("it is taken").to_string();
        assert!(path.exists(), "it is not removed: {error}");
        error
    }

    #[test]
    fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        drop(UnixListener::bind(&path).expect("bound"));
        let live = bind(&path, 0o640, None).expect("a stale one is replaced");
        assert!(refused(&path).contains("another process serves it"));
        let mode = fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o640);
        drop(live);
        fs::remove_file(&path).expect("removed");
        let _datagram = UnixDatagram::bind(&path).expect("bound");
        assert!(refused(&path).contains("another kind"));
    }

    #[test]
    fn a_listener_that_takes_nobody_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let flags = SockFlag::SOCK_CLOEXEC;
        let stuck = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
        bind_address(stuck.as_raw_fd(), &UnixAddr::new(&path).expect("a path")).expect("bound");
        listen(&stuck, Backlog::new(0).expect("a backlog")).expect("it listens");
        let _waits = UnixStream::connect(&path).expect("the one that has room");
        assert!(refused(&path).contains("another process serves it"));
    }

    #[test]
    fn the_group_is_given_without_following_anything() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, precious) = (dir.path().join("s"), dir.path().join("precious"));
        let gid = nix::unistd::getgid().as_raw();
        let _listener = bind(&path, 0o660, Some(gid)).expect("bound");
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o660);
        fs::write(&precious, "").expect("written");
        fs::remove_file(&path).expect("removed");
        for swap in
            [std::os::unix::fs::symlink, fs::hard_link::<&Path, &Path>] as [fn(_, _) -> _; 2]
        {
            swap(precious.as_path(), path.as_path()).expect("planted");
            assert!(give_to_group(&path, gid, 0o666).is_err());
            assert_ne!(fs::metadata(&precious).expect("it").permissions().mode() & 0o777, 0o666);
            fs::remove_file(&path).expect("removed");
        }
    }
}
