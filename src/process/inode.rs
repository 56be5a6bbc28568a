//! Which file it is, whatever its name and its content.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// A file, by its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inode {
    /// The device.
    pub device: u64,
    /// The number.
    pub number: u64,
}

impl Inode {
    /// That of an open file.
    ///
    /// # Errors
    /// The file system does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(Self::from)
    }

    /// That of what stands at a path; a link is itself.
    ///
    /// # Errors
    /// Nothing stands there, or the file system does not tell.
    pub fn at(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(Self::from)
    }
}

impl From<Metadata> for Inode {
    fn from(file: Metadata) -> Self {
        Self { device: file.dev(), number: file.ino() }
    }
}
