//! The socket that callers connect to, and its file: bound here or inherited,
//! handed to children and successors, removed at the end. Connections are
//! accepted elsewhere (`server/listener.rs`).

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::{
            fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{AtFlags, Flock, FlockArg, OFlag, open},
    sys::{
        socket::{
            AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind as bind_address, connect,
            listen, socket,
        },
        stat::{Mode, SFlag, fchmod, fstat},
    },
    unistd::{Gid, fchownat, geteuid},
};

use crate::{
    config::Config,
    process::{descriptors, inode::Inode},
};

/// How long to wait for another one that makes its socket in the same folder.
const TURN: Duration = Duration::from_secs(1);

/// The listening socket. The file is removed by whoever made it, at its end.
#[derive(Debug)]
pub struct ListeningSocket {
    listener: Option<UnixListener>,
    file: Option<SocketFile>,
    /// It could not be bound again.
    is_lost: bool,
}

/// The file of a socket that this process is to remove at its end.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: Inode,
    mode: u32,
    gid: Option<u32>,
}

impl SocketFile {
    /// What stands at `path` now, if anything does.
    fn at(path: &Path, config: &Config) -> Option<Self> {
        let (mode, gid) = (config.socket_mode, config.socket_gid);
        Inode::at(path).ok().map(|inode| Self { path: path.to_owned(), inode, mode, gid })
    }

    fn is_there(&self) -> bool {
        Inode::at(&self.path).is_ok_and(|there| there == self.inode)
    }
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
            return Ok(Self { listener: Some(listener), file: None, is_lost: false });
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
        let file = SocketFile::at(&config.socket, config);
        Ok(Self { listener: Some(listener), file, is_lost: false })
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
                "socket: an upgrade keeps listening on {}; the new {} needs a restart",
                path.as_deref().unwrap_or(Path::new("")).display(),
                config.socket.display()
            );
        }
        let file = path.filter(|_| owns_file).and_then(|path| SocketFile::at(&path, config));
        Ok(Self { listener: Some(listener), file, is_lost: false })
    }

    /// Whether its file is to be removed at the end.
    pub fn owns_file(&self) -> bool {
        self.file.is_some()
    }

    /// Binds it again if its file is gone, or another one stands there, and says so.
    /// Returns whether there is a new socket; the old one is closed here then.
    pub fn restore(&mut self) -> bool {
        let Some(file) = self.file.as_mut().filter(|file| !file.is_there()) else {
            self.is_lost = false;
            return false;
        };
        let path = file.path.display();
        let bound = folder_of(&file.path)
            .and_then(|()| bind(&file.path, file.mode, file.gid))
            .and_then(|listener| Ok((listener, Inode::at(&file.path)?)));
        match bound {
            Ok((listener, inode)) => {
                tracing::warn!(
                    "{path}: the socket was removed while dirtyd ran; it was bound again, and open connections were not touched"
                );
                (file.inode, self.listener, self.is_lost) = (inode, Some(listener), false);
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_lost, true) {
                    tracing::error!(
                        "{path}: the socket was removed while dirtyd ran, and cannot be bound again: {error}; no new client can connect; dirtyd keeps trying"
                    );
                }
                false
            }
        }
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
        if let Some(file) = self.file.take()
            && !leave
            && file.is_there()
        {
            let _ = fs::remove_file(file.path);
        }
    }
}

/// Makes the folder of a socket if it is gone: for this user alone, as it was made.
fn folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder.filter(|folder| !folder.exists()) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn bind(path: &Path, mode: u32, gid: Option<u32>) -> io::Result<UnixListener> {
    let context = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", path.display()))
    };
    let _turn = turn(path);
    match fs::symlink_metadata(path) {
        Ok(file) if !file.file_type().is_socket() => {
            let taken = io::Error::other(
                "a file that is not a socket is in the way; remove it, or choose another path",
            );
            return Err(context(taken));
        }
        Ok(_) => {
            check_stale(path).map_err(context)?;
            fs::remove_file(path).map_err(context)?;
        }
        Err(_) => {}
    }
    // With a group, nobody but this user may connect before it has it.
    let first = if gid.is_some() { mode & 0o700 } else { mode };
    let listener = made(path, first).map_err(context)?;
    finish(path, gid, mode).map_err(context)?;
    listener.set_nonblocking(true).map_err(context)?;
    Ok(listener)
}

/// Waits until nobody else makes a socket in the same folder: one that found a stale
/// file must not remove what another has put in its place by then. Others can lock
/// the folder for no reason, so they are not waited for in vain.
fn turn(path: &Path) -> Option<Flock<File>> {
    let until = Instant::now() + TURN;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    loop {
        match Flock::lock(folder, FlockArg::LockExclusiveNonblock) {
            Ok(turn) => return Some(turn),
            Err((file, Errno::EWOULDBLOCK)) if Instant::now() < until => folder = file,
            Err(_) => return None,
        }
        thread::sleep(TURN / 100);
    }
}

/// A listening socket whose file has this mode from its first moment, or less: the
/// mask of the process, which is not touched, may take from it.
fn made(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // The kernel makes the file with the mode that the socket has.
    fchmod(&socket, Mode::from_bits_truncate(mode))?;
    bind_address(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&socket, Backlog::MAXALLOWABLE)?;
    Ok(socket.into())
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
        Err(Errno::EPROTOTYPE) => "a socket of another kind is in use there".to_owned(),
        Err(error) => format!("cannot tell whether another process serves it: {error}"),
    };
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        format!("{why}; stop that process, or choose another path"),
    ))
}

/// Sets the group, if there is one, and the whole mode of the file that was just made.
/// Links are not followed: what stands there by now must be a socket of this user.
fn finish(path: &Path, gid: Option<u32>, mode: u32) -> io::Result<()> {
    let named = |error| io::Error::other(format!("its mode or group: {error}"));
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(|error| named(error.into()))?;
    let found = fstat(&file)?;
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK
        || found.st_uid != geteuid().as_raw()
    {
        return Err(named(io::Error::other("the socket was replaced by something else")));
    }
    if let Some(gid) = gid {
        let group = Some(Gid::from_raw(gid));
        fchownat(&file, "", None, group, AtFlags::AT_EMPTY_PATH).map_err(|error| {
            io::Error::other(format!(
                "socket_group: the socket cannot be given to group {gid}: {error}; dirtyd has to be root or in that group"
            ))
        })?;
    }
    // By its descriptor, since no call changes the mode of what O_PATH has opened.
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::set_permissions(itself, fs::Permissions::from_mode(mode)).map_err(named)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixDatagram, UnixStream};

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
    fn of_many_that_find_a_stale_socket_one_has_it_and_keeps_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        for _ in 0..50 {
            drop(UnixListener::bind(&path).expect("bound"));
            let bound: Vec<_> = thread::scope(|scope| {
                let all = [(); 4].map(|()| scope.spawn(|| bind(&path, 0o600, None)));
                all.into_iter().filter_map(|one| one.join().expect("no panic").ok()).collect()
            });
            assert_eq!(bound.len(), 1);
            UnixStream::connect(&path).expect("it is the one that listens");
            drop(bound);
            fs::remove_file(&path).expect("removed");
        }
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
            assert!(finish(&path, Some(gid), 0o666).is_err());
            assert_ne!(fs::metadata(&precious).expect("it").permissions().mode() & 0o777, 0o666);
            fs::remove_file(&path).expect("removed");
        }
    }
}
