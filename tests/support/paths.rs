//! Where things are: the repository, and the Python that runs the workers.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The root of the checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The interpreter of the workers: `$DIRTYD_TEST_PYTHON`, else that of `make venv`.
pub fn python() -> PathBuf {
    let made = || repository().join(".venv/bin/python");
    let python = env::var_os("DIRTYD_TEST_PYTHON").map_or_else(made, PathBuf::from);
    assert!(python.exists(), "{} is missing: run `make venv`", python.display());
    python
}

/// What workers can import: the package, the apps of the tests, and `own`.
pub fn python_path(own: &Path) -> OsString {
    let parts = ["clients/python/src", "tests/apps", "tests/workers"];
    let parts = parts.iter().map(|part| repository().join(part));
    env::join_paths(parts.chain([own.to_owned()])).expect("no colon in the paths")
}

/// The binary of an example, which `cargo test` builds beside the daemon.
pub fn example(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_dirtyd")).parent().expect("a directory");
    let path = target.join("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --examples`", path.display());
    path
}
