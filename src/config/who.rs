//! Who may do what, in words: the entries of `[[access]]` as an operator reads
//! them.

use super::{AccessEntry, AdminRight, Config};

impl Config {
    /// A line for each kind of peer, the first that fits first.
    pub fn who_may_do_what(&self) -> Vec<String> {
        let own = "root and the user that dirtyd runs as: every app, admin = \"full\"".to_owned();
        let entries = self.access.iter().map(|entry| format!("{}: {}", who(entry), what(entry)));
        let others = match self.access.is_empty() {
            true => {
                let group = &self.written.0.instance.socket_group;
                let group = group.as_ref().map(|name| format!(" and group `{name}` admit"));
                format!(
                    "anyone else whom the socket's mode {:04o}{}: every app, admin = \"read\"",
                    self.socket_mode,
                    group.as_deref().unwrap_or(" admits")
                )
            }
            false => "nobody else may connect".to_owned(),
        };
        [own].into_iter().chain(entries).chain([others]).collect()
    }
}

fn who(entry: &AccessEntry) -> String {
    let uids = entry.uids.iter().map(|uid| format!("uid {uid}"));
    let gids = entry.gids.iter().map(|gid| format!("group {gid}"));
    uids.chain(gids).collect::<Vec<_>>().join(", ")
}

fn what(entry: &AccessEntry) -> String {
    let apps = match entry.apps.as_deref() {
        None => "every app".to_owned(),
        Some([]) => "no app".to_owned(),
        Some(apps) => apps.join(", "),
    };
    let admin = match entry.admin {
        AdminRight::None => "none",
        AdminRight::Read => "read",
        AdminRight::Full => "full",
    };
    let limits = [
        (entry.max_running, "calls running"),
        (entry.max_queue, "calls waiting"),
        (entry.max_connections, "connections"),
    ];
    let limits =
        limits.iter().filter_map(|(most, of)| Some(format!("; at most {} {of}", (*most)?)));
    let weight = (entry.weight != 1).then(|| format!("; weight {}", entry.weight));
    format!("{apps}, admin = \"{admin}\"{}", limits.chain(weight).collect::<String>())
}
