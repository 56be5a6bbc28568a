//! Against what the relative paths of a configuration file resolve.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The directory against which relative paths of a configuration file resolve.
pub fn config_dir_of(file: Option<&Path>) -> PathBuf {
    let cwd = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    match file.and_then(Path::parent) {
        Some(parent) => cwd.join(parent),
        None => cwd,
    }
}
