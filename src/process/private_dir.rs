//! The folder of socket and PID files. Nobody else may put anything there, nor
//! exchange the folder itself: then no file in it can be swapped between a look at
//! it and its use.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::{getegid, geteuid};

/// Others may write; of the folder's group, and of all.
const OF_GROUP: u32 = 0o020;
const OF_ALL: u32 = 0o002;
/// In such a folder each may only rename and remove what is his.
const STICKY: u32 = 0o1000;

/// Makes the folder, for this user alone, and checks one that is there, and all
/// folders above it.
///
/// # Errors
/// It cannot be made, or others could put files there or exchange it; the text
/// names the folder.
pub fn make(path: &Path) -> io::Result<()> {
    let named = |error| io::Error::other(format!("runtime_dir {}: {error}", path.display()));
    if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(named(error));
    }
    check(path).map_err(named)
}

fn check(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    if !is_trusted(owner) {
        return Err(io::Error::other(format!(
            "it belongs to user {owner}, who could put files there; use a directory of this user"
        )));
    }
    if mode & (OF_GROUP | OF_ALL) != 0 {
        return Err(io::Error::other(format!(
            "others may write there (mode {mode:o}); use a directory with mode 0700"
        )));
    }
    // By every name: a link's folder counts as much as what the link leads to.
    let (named, real) = (std::path::absolute(path)?, fs::canonicalize(path)?);
    let above: BTreeSet<PathBuf> =
        named.ancestors().skip(1).chain(real.ancestors().skip(1)).map(Path::to_owned).collect();
    above.iter().try_for_each(|folder| check_above(folder))
}

/// Checks that nobody else can rename or remove what is in this folder.
fn check_above(folder: &Path) -> io::Result<()> {
    let found = fs::metadata(folder)?;
    let (owner, mode) = (found.uid(), found.mode());
    let refused = || {
        Err(io::Error::other(format!(
            "others could replace it, because they may write into {} (user {owner}, mode {:o}); choose another place",
            folder.display(),
            mode & 0o7777
        )))
    };
    if !is_trusted(owner) {
        return refused();
    }
    // A group of one's own name is oneself, as many systems have it.
    let foreign_group =
        mode & OF_GROUP != 0 && found.gid() != getegid().as_raw() && found.gid() != 0;
    match mode & STICKY == 0 && (mode & OF_ALL != 0 || foreign_group) {
        true => refused(),
        false => Ok(()),
    }
}

fn is_trusted(owner: u32) -> bool {
    owner == geteuid().as_raw() || owner == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder(path: &Path, mode: u32) {
        fs::create_dir(path).expect("made");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    }

    #[test]
    fn others_can_neither_write_into_it_nor_exchange_it() {
        let top = tempfile::tempdir().expect("a directory");
        let open = top.path().join("open");
        folder(&open, 0o777);
        let refused = |path: &Path| make(path).expect_err("it is refused").to_string();
        assert!(refused(&open).contains("mode 0700"));
        assert!(refused(&open.join("run")).contains("replace"));
        let sticky = top.path().join("sticky");
        folder(&sticky, 0o1777);
        assert!(refused(&sticky).contains("mode 0700"));
        make(&sticky.join("run")).expect("only its owner can exchange it");
        symlink(sticky.join("run"), open.join("link")).expect("linked");
        assert!(refused(&open.join("link")).contains("replace"), "the link could be exchanged");
        make(&top.path().join("new/below")).expect("it is made");
    }
}
