//! What a process leaves to the one that comes after it in its place: a text in
//! memory, whose descriptor both inherit. It is gone with the last of them.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    os::{
        fd::{OwnedFd, RawFd},
        unix::fs::FileExt as _,
    },
};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::descriptors;

/// A text that outlives its writer.
#[derive(Debug)]
pub struct Memo(File);

impl From<OwnedFd> for Memo {
    fn from(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

impl Memo {
    /// An empty one.
    ///
    /// # Errors
    /// The kernel has no descriptor or memory left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(memfd_create(c"dirtyd", MFdFlags::MFD_CLOEXEC)?.into()))
    }

    /// The one that was inherited.
    ///
    /// # Errors
    /// It is not open.
    pub fn inherited(fd: RawFd) -> io::Result<Self> {
        Ok(Self(descriptors::inherited(fd)?.into()))
    }

    /// Another descriptor of it, for a child.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn share(&self) -> io::Result<OwnedFd> {
        Ok(self.0.try_clone()?.into())
    }

    /// Replaces the text.
    ///
    /// # Errors
    /// The kernel has no memory left.
    pub fn write(&self, text: &str) -> io::Result<()> {
        // Who dies in between leaves nothing, rather than two halves.
        self.0.set_len(0)?;
        self.0.write_all_at(text.as_bytes(), 0)
    }

    /// The text; empty if none was written.
    ///
    /// # Errors
    /// It is no text.
    pub fn read(&self) -> io::Result<String> {
        let (mut file, mut text) = (&self.0, String::new());
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_reads_the_last_text() {
        let memo = Memo::new().expect("a descriptor");
        assert_eq!(memo.read().expect("text"), "");
        memo.write("a long text").expect("memory");
        memo.write("short").expect("memory");
        let next = Memo(memo.share().expect("a descriptor").into());
        drop(memo);
        assert_eq!(next.read().expect("text"), "short");
    }
}
