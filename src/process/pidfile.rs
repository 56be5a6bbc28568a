//! PID files that prove who wrote them.
//!
//! The proof is a POSIX record lock, because the kernel names its holder
//! (`F_GETLK`): the content of the file is never trusted, only compared. It is the
//! same lock before and after a pidfd of its holder was opened, so the pidfd is
//! the holder's, and no reused process id can slip in between. A file without a
//! lock, whatever stands in it, names nobody.
//!
//! Such a lock ends when its process ends, or closes *any* descriptor of the
//! file: a process must never open a PID file that it holds. It is not
//! inherited by fork. It follows the file through a rename.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::{
    inode::Inode,
    pidfd,
    private_file::{Unusable, open},
};

/// How often a file that others replace at the same time is opened anew.
const TRIES: usize = 16;
/// The longest content that can be a process id.
const LONGEST: u64 = 16;

/// Why a PID file cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// A live process holds it.
    #[error("{path} is held by process {pid}", path = path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// The process; 0 if it lives in another container.
        pid: i32,
    },
    /// The file system refuses.
    #[error("cannot write {path}: {why}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
}

/// A PID file of this process. Dropping it removes the file, wherever it was
/// renamed to, but only its own.
#[derive(Debug)]
pub struct PidFile {
    file: File,
}

impl PidFile {
    /// Locks the file at `path`; it stays empty until [`publish`](Self::publish).
    /// Whatever stands there that nobody holds is replaced.
    ///
    /// # Errors
    /// A live process holds it, or it cannot be written.
    pub fn take(path: &Path) -> Result<Self, PidFileError> {
        let failed = |why| PidFileError::Io { path: path.to_owned(), why };
        for _ in 0..TRIES {
            let file = match open(path, true) {
                Ok(file) => file,
                Err(Unusable::Impostor(what)) => {
                    tracing::warn!("{}: {what} was in the way; replacing it", path.display());
                    fs::remove_file(path).map_err(failed)?;
                    continue;
                }
                Err(Unusable::Io(error)) => return Err(failed(error)),
            };
            if !lock(&file).map_err(failed)? {
                match holder_of(&file).map_err(failed)? {
                    Some(pid) => return Err(PidFileError::Held { path: path.to_owned(), pid }),
                    None => continue, // it has just ended
                }
            }
            if !is_at(&file, path) {
                continue; // its last owner removed it in between
            }
            let stale = content(&file);
            if !stale.is_empty() {
                tracing::warn!(
                    "{}: replaced a stale PID file (process {} does not hold it); no process was signalled",
                    path.display(),
                    stale.trim()
                );
            }
            file.set_len(0).map_err(failed)?;
            return Ok(Self { file });
        }
        Err(failed(io::Error::other("it keeps being replaced")))
    }

    /// Writes this process's id into it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn publish(&self) -> io::Result<()> {
        let mut file = &self.file;
        file.rewind()?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    /// Renames the file; a file of that name is replaced.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn rename(&self, to: &Path) -> io::Result<()> {
        fs::rename(self.path()?, to)
    }

    /// Makes it again at `path` if somebody has removed it there.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn restore(&mut self, path: &Path) -> io::Result<()> {
        if !is_at(&self.file, path) {
            *self = Self::take(path).map_err(io::Error::other)?;
            self.publish()?;
        }
        Ok(())
    }

    /// Where it is now: others may have renamed it.
    fn path(&self) -> io::Result<PathBuf> {
        fs::read_link(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Ok(path) = self.path()
            && is_at(&self.file, &path)
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// The live process that holds a PID file.
#[derive(Debug)]
pub struct Holder {
    /// Its id.
    pub pid: i32,
    /// The process itself.
    pub pidfd: OwnedFd,
    /// Whether the file names it too: it has become ready.
    pub published: bool,
}

/// Who holds the PID file at `path`, proven. `None` if nobody does, whatever
/// the file says. Not for a file that this process holds.
///
/// # Errors
/// The file cannot be read, or its holder lives out of sight.
pub fn holder(path: &Path) -> io::Result<Option<Holder>> {
    let file = match open(path, false) {
        Ok(file) => file,
        Err(Unusable::Impostor(_)) => return Ok(None),
        Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(Unusable::Io(error)) => return Err(error),
    };
    for _ in 0..TRIES {
        let Some(pid) = holder_of(&file)? else { return Ok(None) };
        if pid <= 0 {
            return Err(io::Error::other("its holder lives in another PID namespace"));
        }
        let Ok(pidfd) = pidfd::open(pid) else { continue };
        if holder_of(&file)? == Some(pid) {
            let published = content(&file).trim() == pid.to_string();
            return Ok(Some(Holder { pid, pidfd, published }));
        }
    }
    Ok(None)
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Takes the lock; false if another process has it.
fn lock(file: &File) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_SETLK(&whole_file())) {
        Ok(_) => Ok(true),
        Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The process that holds the lock, as the kernel names it.
fn holder_of(file: &File) -> io::Result<Option<i32>> {
    let mut lock = whole_file();
    fcntl(file, FcntlArg::F_GETLK(&mut lock))?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}

fn is_at(file: &File, path: &Path) -> bool {
    matches!((Inode::of(file), Inode::at(path)), (Ok(ours), Ok(there)) if ours == there)
}

/// Its content, as far as that can be a process id.
fn content(file: &File) -> String {
    let mut bytes = Vec::new();
    let mut file = file;
    let _ = file.rewind().and_then(|()| file.take(LONGEST).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "pidfile_tests.rs"]
mod tests;
