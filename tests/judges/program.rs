//! The programs that judge.

use std::{path::PathBuf, process::Command};

use crate::support::{Output, repository};

/// Where `make test-judges` puts one.
pub fn path(name: &str) -> PathBuf {
    let path = repository().join(".tools/bin").join(name);
    assert!(path.exists(), "{} is missing: `make test-judges` makes it", path.display());
    path
}

/// Runs one to its end.
pub async fn run(mut command: Command) -> Output {
    let run = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
    run.await.expect("no panic").into()
}
