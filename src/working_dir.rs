//! The working directory, by the name that whoever started dirtyd has for it. A
//! deploy may switch a link in it (`current -> releases/2`): the name stays, and
//! means the new folder from then on. The kernel only knows the old one.
//!
//! A leaf: command line and main arbiter use it.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The variable in which shells keep it.
const PWD: &str = "PWD";

/// The working directory of whoever started the first process of an instance.
#[derive(Debug, Clone)]
pub struct WorkingDir(PathBuf);

impl WorkingDir {
    /// That of this process: `$PWD` if that is the same directory, as POSIX has it.
    pub fn found() -> Self {
        let named = env::var_os(PWD).map(PathBuf::from).filter(|dir| is_current(dir));
        Self(named.or_else(|| env::current_dir().ok()).unwrap_or_else(|| PathBuf::from("/")))
    }

    /// What an earlier process of the instance has found, and handed on as
    /// [`handed`](Self::handed) says. It may be another directory by now.
    pub fn inherited() -> Self {
        let named = env::var_os(PWD).map(PathBuf::from).filter(|dir| dir.is_absolute());
        named.map_or_else(Self::found, Self)
    }

    /// Makes it the working directory of this process, if it is there: it may mean
    /// another folder by now.
    pub fn enter(&self) {
        let _ = env::set_current_dir(&self.0);
    }

    /// The name; absolute.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What the environment of a process has that is to inherit it.
    pub fn handed(&self) -> (&'static str, &OsStr) {
        (PWD, self.0.as_os_str())
    }
}

fn is_current(dir: &Path) -> bool {
    let inode = |path: &Path| -> io::Result<_> {
        let found = fs::metadata(path)?;
        Ok((found.dev(), found.ino()))
    };
    dir.is_absolute()
        && matches!((inode(dir), inode(Path::new("."))), (Ok(named), Ok(current)) if named == current)
}
