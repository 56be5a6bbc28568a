//! Where files live when nobody says otherwise: one private directory, never a
//! predictable name in /tmp.

use std::{env, path::PathBuf};

use crate::system::is_root;

/// The directory of the socket, PID files and lock: `$XDG_RUNTIME_DIR/dirtyd`,
/// `/run/dirtyd` for root, else `~/.local/state/dirtyd/run`.
pub fn default_runtime_dir() -> PathBuf {
    let absolute =
        |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(dir) = absolute("XDG_RUNTIME_DIR") {
        return dir.join("dirtyd");
    }
    if is_root() {
        return PathBuf::from("/run/dirtyd");
    }
    let home = absolute("HOME").unwrap_or_else(|| PathBuf::from("/var/lib/dirtyd"));
    home.join(".local/state/dirtyd/run")
}

/// The socket of an instance that names none.
pub fn default_socket() -> PathBuf {
    default_runtime_dir().join("dirtyd.sock")
}
