//! The file of the access log.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc,
};

/// Opens the file, or makes it, for nobody else to read: it tells who calls what. It may be a
/// pipe, such as that of a program that rotates; one that nobody reads is not waited for.
///
/// # Errors
/// It cannot be opened. The text names the key, the file and the remedy.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).custom_flags(flags.bits());
    let file = options.open(path).map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::ENXIO) => "no process reads that pipe".to_owned(),
            Some(libc::ELOOP) => {
                "it is a symbolic link, which is not followed; name the file, or leave the key out to write into the log".to_owned()
            }
            _ => error.to_string(),
        };
        let text = format!("access_log_file: cannot open {}: {why}", path.display());
        io::Error::new(error.kind(), text)
    })?;
    // Only the opening is not to wait; whoever reads it is waited for, by a thread.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
}
