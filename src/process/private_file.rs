//! Opening the files by which instances know each other: what others may have
//! put in their place is not taken for one.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{libc, unistd::geteuid};

/// Why what stands at a path cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// Something else stands there; what.
    Impostor(&'static str),
    /// The file system refuses.
    Io(io::Error),
}

/// Opens a regular file of this user with one name; never follows a link, never
/// waits for a FIFO.
///
/// # Errors
/// Something else stands there, or the file system refuses.
pub fn open(path: &Path, create: bool) -> Result<File, Unusable> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(Unusable::Impostor("a symbolic link"));
        }
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            return Err(Unusable::Impostor("a socket"));
        }
        Err(error) => return Err(Unusable::Io(error)),
    };
    let found = file.metadata().map_err(Unusable::Io)?;
    if !found.is_file() {
        return Err(Unusable::Impostor("a file that is not a regular one"));
    }
    if found.nlink() > 1 {
        return Err(Unusable::Impostor("a file with another name too"));
    }
    if found.uid() != geteuid().as_raw() {
        return Err(Unusable::Impostor("a file of another user"));
    }
    Ok(file)
}
