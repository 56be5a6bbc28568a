//! Opening the files by which instances know each other: what others may have
//! put in their place is not taken for one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use nix::{libc, unistd::geteuid};

/// The longest text of such a file, in bytes.
const LONGEST: u64 = 1 << 16;

/// Why what stands at a path cannot be used.
#[derive(Debug)]
pub enum Unusable {
    /// Something else stands there; what.
    Impostor(&'static str),
    /// The file system refuses.
    Io(io::Error),
}

/// Leaves `text` at `path` in one step, by way of `part`: whoever reads it reads
/// all of it. Whatever stood at either is replaced, never written to.
///
/// # Errors
/// The file system refuses.
pub fn replace(path: &Path, part: &Path, text: &str) -> io::Result<()> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(part)?;
    file.write_all(text.as_bytes())?;
    fs::rename(part, path)
}

/// The text of the file at `path`; `None` if there is none.
///
/// # Errors
/// Something else stands there, or the file system refuses.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match open(path, false) {
        Ok(file) => file,
        Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(Unusable::Io(error)) => return Err(error),
        Err(Unusable::Impostor(what)) => {
            return Err(io::Error::other(format!("{what} is in the way; remove it")));
        }
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(Some(text))
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
        return Err(Unusable::Impostor("a file with a second name (a hard link)"));
    }
    if found.uid() != geteuid().as_raw() {
        return Err(Unusable::Impostor("a file of another user"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn what_was_planted_is_replaced_and_never_written_to() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("precious"), "precious").expect("written");
        symlink(at("precious"), at("part")).expect("planted");
        replace(&at("told"), &at("part"), "ready 7").expect("replaced");
        mkfifo(&at("part"), Mode::S_IRWXU).expect("planted");
        symlink(at("precious"), at("other")).expect("planted");
        assert!(read(&at("other")).is_err(), "a link is nobody's word");
        replace(&at("other"), &at("part"), "ready 8").expect("replaced");
        assert_eq!(fs::read_to_string(at("precious")).expect("it"), "precious");
        assert_eq!(read(&at("told")).expect("a file").as_deref(), Some("ready 7"));
        assert_eq!(read(&at("other")).expect("a file").as_deref(), Some("ready 8"));
        assert_eq!(read(&at("none")).expect("no file"), None);
    }
}
