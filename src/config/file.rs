//! Reading the file. What stands at its path may be anything by the time of a
//! reload.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::libc::{O_NOCTTY, O_NONBLOCK};

/// The largest file, in bytes: a thousand times what a large one has.
const LARGEST: u64 = 16 << 20;

/// The text of a regular file; a FIFO is not waited for, a device not read.
///
/// # Errors
/// It cannot be read, is no regular file, is larger than 16 MiB, or no text.
pub fn read(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path)?;
    let kind = file.metadata()?.file_type();
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "not a regular file" };
        return Err(io::Error::other(format!("it is {what}; name a TOML file")));
    }
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    match text.len() as u64 > LARGEST {
        true => Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20))),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;

    #[test]
    fn only_a_regular_file_of_some_size_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let refused = |path: &Path| read(path).expect_err("it is none").to_string();
        let fifo = dir.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).expect("made");
        assert!(refused(&fifo).contains("not a regular file"), "and nobody waits for a writer");
        assert!(refused(Path::new("/dev/zero")).contains("not a regular file"));
        assert!(refused(dir.path()).contains("a directory"));
        let large = dir.path().join("large");
        std::fs::File::create(&large).and_then(|file| file.set_len(LARGEST + 1)).expect("made");
        assert!(refused(&large).contains("larger than 16 MiB"));
    }
}
