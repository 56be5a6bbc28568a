//! What holds an instance together even when all of its arbiters are gone: a
//! random id, kept in the private directory, which every process of its tree has
//! in its environment. A fresh start ends what an earlier tree has left.

use std::{
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    patience::KILLED,
    process::{
        marked,
        private_file::{self, Unusable},
    },
};

/// The variable that names the instance.
const VARIABLE: &str = "DIRTYD_INSTANCE";
/// Where the kernel hands out random ids.
const RANDOM: &str = "/proc/sys/kernel/random/uuid";
/// The length of such an id.
const LENGTH: u64 = 36;
/// How often to look again: those that are killed may fork until they are.
const ROUNDS: usize = 16;

/// The id of an instance, and the file where it stands.
#[derive(Debug)]
pub struct Instance {
    id: String,
    file: PathBuf,
}

impl Instance {
    /// The id that stands in the file at `path`; a new one if nobody has written
    /// one there. Only for who holds the name.
    ///
    /// # Errors
    /// The file cannot be read or written; the text names it.
    pub fn at(path: &Path) -> io::Result<Self> {
        let named = |error| io::Error::other(format!("{}: {error}", path.display()));
        let id = read_or_make(path).map_err(named)?;
        Ok(Self { id, file: path.to_owned() })
    }

    /// What the environment of its processes has.
    pub fn mark(&self) -> (&'static str, &str) {
        (VARIABLE, &self.id)
    }

    /// Kills what is left, and forgets the id: nobody will ask for it. Only for
    /// the last arbiter of the instance.
    pub fn retire(&self) {
        self.end_leftovers();
        let _ = fs::remove_file(&self.file);
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
                    "process {} (`{}`) has outlived the arbiters of this instance; it is killed",
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
        tracing::error!("processes of this instance outlive even that; end them by hand");
    }
}

fn read_or_make(path: &Path) -> io::Result<String> {
    let mut file = match private_file::open(path, true) {
        Ok(file) => file,
        Err(Unusable::Impostor(what)) => {
            tracing::warn!("{}: {what} stood there; it is replaced", path.display());
            fs::remove_file(path)?;
            private_file::open(path, true).map_err(|error| match error {
                Unusable::Impostor(what) => io::Error::other(format!("{what} stands there again")),
                Unusable::Io(error) => error,
            })?
        }
        Err(Unusable::Io(error)) => return Err(error),
    };
    let mut found = Vec::new();
    (&file).take(LENGTH + 1).read_to_end(&mut found)?;
    if let Some(id) = String::from_utf8(found).ok().filter(|id| is_id(id)) {
        return Ok(id);
    }
    let id = fs::read_to_string(RANDOM)?.trim().to_owned();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(id.as_bytes())?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() as u64 == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
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
    fn what_is_no_id_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("name.id");
        let twice = "0".repeat(72);
        for planted in ["", "x", "HOME=/root", &twice, &" ".repeat(36)] {
            fs::write(&path, planted).expect("planted");
            assert!(is_id(&id_at(&path)), "{planted:?}");
            assert_eq!(fs::read_to_string(&path).expect("there"), id_at(&path));
        }
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").expect("written");
        fs::remove_file(&path).expect("there");
        symlink(&precious, &path).expect("planted");
        assert!(is_id(&id_at(&path)));
        assert_eq!(fs::read_to_string(&precious).expect("there"), "precious");
    }
}
