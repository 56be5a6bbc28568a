//! What holds an instance together even when all of its arbiters are gone: a
//! random id, kept in the private directory, which every process of its tree has
//! in its environment. A fresh start ends what an earlier tree has left.
//!
//! The file names its own inode. A copy of it, in a copied directory or an image,
//! has another one: it is the file of nobody, and its id means nothing.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    patience::KILLED,
    process::{
        inode::Inode,
        marked,
        private_file::{self, Unusable},
    },
};

/// The variable that names the instance.
const VARIABLE: &str = "DIRTYD_INSTANCE";
/// Where the kernel hands out random ids.
const RANDOM: &str = "/proc/sys/kernel/random/uuid";
/// The length of such an id.
const LENGTH: usize = 36;
/// The longest content of the file: the id, and its device and inode.
const LONGEST: u64 = 100;
/// How often to look again: those that are killed may fork until they are.
const ROUNDS: usize = 16;

/// The id of an instance, and the file where it stands.
#[derive(Debug)]
pub struct Instance {
    id: String,
    file: PathBuf,
    inode: Inode,
}

impl Instance {
    /// The id that stands in the file at `path`; a new one if nobody has written
    /// one there. Only for who holds the name.
    ///
    /// # Errors
    /// The file cannot be read or written; the text names it.
    pub fn at(path: &Path) -> io::Result<Self> {
        let named = |error| io::Error::other(format!("{}: {error}", path.display()));
        let (id, inode) = read_or_make(path).map_err(named)?;
        Ok(Self { id, file: path.to_owned(), inode })
    }

    /// Makes the file again, with the same id, if somebody has removed it.
    ///
    /// # Errors
    /// Another one stands there, or it cannot be written.
    pub fn restore(&mut self) -> io::Result<()> {
        if Inode::at(&self.file).is_err() {
            let file = private_file::open(&self.file, true).map_err(|error| match error {
                Unusable::Impostor(what) => io::Error::other(format!("{what} is in the way")),
                Unusable::Io(error) => error,
            })?;
            self.inode = Inode::of(&file)?;
            write(&file, &self.id, self.inode)?;
        }
        Ok(())
    }

    /// What the environment of its processes has.
    pub fn mark(&self) -> (&'static str, &str) {
        (VARIABLE, &self.id)
    }

    /// Kills what is left, and forgets the id: nobody will ask for it. Only for
    /// the last arbiter of the instance.
    pub fn retire(&self) {
        self.end_leftovers();
        // Another one may stand there by now, which is somebody else's.
        if Inode::at(&self.file).is_ok_and(|there| there == self.inode) {
            let _ = fs::remove_file(&self.file);
        }
    }

    /// Kills what is left of the instance. Only while no other arbiter of it
    /// runs.
    pub fn end_leftovers(&self) {
        let entry = format!("{VARIABLE}={}", self.id);
        for _ in 0..ROUNDS {
            let found = marked::started_with(&entry);
            if found.is_empty() {
                return;
            }
            for left in &found {
                tracing::warn!(
                    "process {} (`{}`) has outlived the arbiters of this instance; killing it",
                    left.pid,
                    left.name
                );
                if let Err(error) = left.kill() {
                    tracing::error!("cannot kill process {}: {error}", left.pid);
                }
            }
            if !found.iter().all(|left| left.ended(KILLED)) {
                break;
            }
        }
        tracing::error!("processes of this instance have survived even that; kill them by hand");
    }
}

fn write(mut file: &File, id: &str, inode: Inode) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("{id}{}", place(inode)).as_bytes())
}

fn read_or_make(path: &Path) -> io::Result<(String, Inode)> {
    let file = match private_file::open(path, true) {
        Ok(file) => file,
        Err(Unusable::Impostor(what)) => {
            tracing::warn!("{}: {what} was in the way; replacing it", path.display());
            fs::remove_file(path)?;
            private_file::open(path, true).map_err(|error| match error {
                Unusable::Impostor(what) => io::Error::other(format!("{what} is in the way again")),
                Unusable::Io(error) => error,
            })?
        }
        Err(Unusable::Io(error)) => return Err(error),
    };
    let inode = Inode::of(&file)?;
    let mut found = String::new();
    // What is not even text is no id.
    let _ = (&file).take(LONGEST).read_to_string(&mut found);
    if let Some(id) = found.strip_suffix(&place(inode)).filter(|id| is_id(id)) {
        return Ok((id.to_owned(), inode));
    }
    let id = fs::read_to_string(RANDOM)?.trim().to_owned();
    write(&file, &id, inode)?;
    Ok((id, inode))
}

/// What stands behind the id: where it is at home.
fn place(Inode { device, number }: Inode) -> String {
    format!(" {device}:{number}\n")
}

fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn id_at(path: &Path) -> String {
        Instance::at(path).expect("usable").id
    }

    #[test]
    fn an_instance_keeps_its_id_and_no_two_have_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let (one, other) = (dir.path().join("one.id"), dir.path().join("other.id"));
        let id = id_at(&one);
        assert!(is_id(&id), "{id:?}");
        assert_eq!(id_at(&one), id);
        assert_ne!(id_at(&other), id);
        Instance::at(&one).expect("usable").retire();
        assert!(!one.exists());
    }

    #[test]
    fn a_copy_is_another_instance() {
        let dir = tempfile::tempdir().expect("a directory");
        let (original, copy) = (dir.path().join("name.id"), dir.path().join("copy.id"));
        let id = id_at(&original);
        fs::copy(&original, &copy).expect("copied");
        assert_ne!(id_at(&copy), id);
        assert_eq!(id_at(&original), id, "the original stays what it is");
    }

    #[test]
    fn the_file_of_another_one_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("name.id");
        let first = Instance::at(&path).expect("usable");
        fs::rename(&path, dir.path().join("away")).expect("moved");
        let second = Instance::at(&path).expect("usable");
        first.retire();
        assert_eq!(id_at(&path), second.id);
    }

    #[test]
    fn what_is_no_id_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("name.id");
        let twice = "0".repeat(72);
        for planted in ["", "x", "HOME=/root", &twice, &" ".repeat(36)] {
            fs::write(&path, planted).expect("planted");
            assert!(is_id(&id_at(&path)), "{planted:?}");
            let kept = fs::read_to_string(&path).expect("there");
            assert!(kept.starts_with(&id_at(&path)), "{kept:?}");
        }
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").expect("written");
        fs::remove_file(&path).expect("there");
        symlink(&precious, &path).expect("planted");
        assert!(is_id(&id_at(&path)));
        assert_eq!(fs::read_to_string(&precious).expect("there"), "precious");
    }
}
