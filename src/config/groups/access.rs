//! Who may call and operate, and how much of the arbiter each may take.

use nix::unistd::{Group, User};

use crate::config::{declare::keys, rules::upgrade, value::choice};

/// What a peer may do with the Admin service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum AdminRight {
    /// Nothing.
    None,
    /// See: Status and WatchEvents.
    Read,
    /// Do whatever an operator does.
    Full,
}

choice!(
    AdminRight: "\"none\", \"read\" or \"full\"",
    "none" => None, "read" => Read, "full" => Full
);

/// Who an entry is about, and what they may do and take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessEntry {
    /// The users, by number.
    pub uids: Vec<u32>,
    /// The groups, by number; a peer is in one by its process.
    pub gids: Vec<u32>,
    /// The apps that they may call, where `*` stands for anything; `None` for all.
    pub apps: Option<Vec<String>>,
    /// What they may do with the Admin service.
    pub admin: AdminRight,
    /// Calls of one user that may run at once.
    pub max_running: Option<u32>,
    /// Calls of one user that may wait.
    pub max_queue: Option<u32>,
    /// Connections of one user.
    pub max_connections: Option<u32>,
    /// The share of one user where users compete.
    pub weight: u32,
}

keys! {
    /// Who an entry is about, and what they may do and take.
    pub struct Access {
        /// the users, by number
        uids: Vec<u32>, upgrade().unset("none");
        /// the users, by name
        users: Vec<String>, upgrade().unset("none").check(|names: &Vec<String>| each(names, uid));
        /// the groups, by name; the process that connects must be in one
        groups: Vec<String>, upgrade().unset("none").check(|names: &Vec<String>| each(names, gid));
        /// the apps that they may call; `*` stands for anything, as in `"shop.ml:*"`
        apps: Vec<String>, upgrade().unset("all");
        /// of the Admin service: nothing, what only shows (Status, WatchEvents), or all of it
        admin: AdminRight = AdminRight::Read, upgrade();
        /// calls of one user, over all its connections, that run at once
        max_running: u32, upgrade().unset("no limit").at_least(1);
        /// calls of one user, over all apps, that may wait
        max_queue: u32, upgrade().unset("no limit but those of the apps");
        /// connections of one user
        max_connections: u32,
            upgrade().unset("three quarters of the top level's").at_least(1);
        /// the share of one user where users wait for the same app, beside 1 of others
        weight: u32 = 1, upgrade().at_least(1).at_most(1000, "");
    }
}

impl Access {
    /// What the keys mean. A user or group that has vanished since they were read
    /// is nobody.
    pub fn meaning(&self) -> AccessEntry {
        let named = self.users.iter().flatten().filter_map(|name| uid(name).ok());
        AccessEntry {
            uids: self.uids.iter().flatten().copied().chain(named).collect(),
            gids: self.groups.iter().flatten().filter_map(|name| gid(name).ok()).collect(),
            apps: self.apps.value.clone(),
            admin: self.admin(),
            max_running: self.max_running.value,
            max_queue: self.max_queue.value,
            max_connections: self.max_connections.value,
            weight: self.weight(),
        }
    }

    /// Whether it is about anybody.
    pub fn names_anybody(&self) -> bool {
        self.uids.is_some() || self.users.is_some() || self.groups.is_some()
    }
}

fn each(names: &[String], id: fn(&str) -> Result<u32, String>) -> Result<(), String> {
    names.iter().try_for_each(|name| id(name).map(drop))
}

fn uid(name: &str) -> Result<u32, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(format!("there is no user `{name}` on this machine")),
        Err(error) => Err(format!("the user `{name}` cannot be looked up: {error}")),
    }
}

/// The number of a group.
///
/// # Errors
/// There is no such group.
pub fn gid(name: &str) -> Result<u32, String> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!("there is no group `{name}` on this machine")),
        Err(error) => Err(format!("the group `{name}` cannot be looked up: {error}")),
    }
}
