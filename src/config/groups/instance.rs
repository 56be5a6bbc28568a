//! What is of the whole instance: where it listens, its names, its times.

use std::path::PathBuf;

use crate::config::{
    declare::keys,
    groups::access::gid,
    rules::{Outside, reload, restart, upgrade},
    units::{Mode, Seconds},
    value::choice,
};

/// In which order a reload replaces a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum ReloadMode {
    /// The new worker is ready before the old one drains.
    Surge,
    /// The old worker drains first, where memory cannot hold two.
    Swap,
}

choice!(ReloadMode: "\"surge\" or \"swap\"", "surge" => Surge, "swap" => Swap);

keys! {
    /// The instance.
    pub struct Instance {
        /// the socket to listen on
        socket: PathBuf,
            restart().unset("`dirtyd.sock` in `runtime_dir`").outside(Outside::CommonFlag);
        /// the file mode of the socket
        socket_mode: Mode = Mode(0o600), restart();
        /// the group of the socket, by name; with `socket_mode = "0660"` its members may connect
        socket_group: String,
            restart().unset("the group of the process").check(|name: &String| gid(name).map(drop));
        /// the user ids that may connect, beside root and dirtyd's own user; the short form of an
        /// `[[access]]` entry
        allowed_uids: Vec<u32>, upgrade().unset("anyone whom `socket_mode` admits");
        /// the directory of PID files and locks; it is made with mode 0700
        runtime_dir: PathBuf,
            restart().unset("the socket's directory, unless others may write there; else the private one of this user");
        /// the name of this instance; its files are named after it
        proc_name: String = "dirtyd".to_owned(),
            restart().check(|name: &String| plain_name(name)).outside(Outside::CommonFlag);
        /// how long calls and streams may go on after TERM before they are killed
        graceful_timeout: Seconds = Seconds::of(30),
            upgrade().alias("dirty_graceful_timeout").outside(Outside::CommonFlag);
        /// how long a stream may go on in a worker that a reload, an upgrade or a recycling
        /// replaces, or that leaves because its pool is smaller; a call has its own timeout
        drain_timeout: Seconds = Seconds::of(300), reload();
        /// how long arbiter and workers look for the next message before they sleep, if the
        /// last wait was shorter; `0` for not at all, where a container's CPU time is limited
        busy_wait: Seconds = BUSY_WAIT,
            upgrade().at_most(MAX_BUSY_WAIT, "because it only pays off for short waits");
        /// `"surge"`: a new worker is ready before the old one drains; `"swap"`: the old one
        /// goes first, where memory cannot hold two
        reload: ReloadMode = ReloadMode::Surge, reload();
    }
}

impl Instance {
    /// The number of the group of the socket.
    pub fn socket_gid(&self) -> Option<u32> {
        gid(self.socket_group.as_ref()?).ok()
    }
}

/// Long enough for the next message of a small call.
const BUSY_WAIT: Seconds = Seconds(std::time::Duration::from_micros(100));
const MAX_BUSY_WAIT: Seconds = Seconds(std::time::Duration::from_millis(10));

fn plain_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) || name.starts_with('.') {
        return Err(format!(
            "`{name}` must be 1 to 64 letters, digits, `-`, `_` or `.`, because PID files are named after it"
        ));
    }
    Ok(())
}
