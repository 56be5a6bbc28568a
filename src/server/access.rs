//! Who may do what: the rights of a peer, from the configuration. Pure.
//!
//! Calling and operating are two rights. Without an entry in the configuration,
//! the file mode of the socket decides who may call, and everybody whom it lets
//! in may look. root and the user that dirtyd runs as may do everything, whatever
//! is configured: they are never locked out.

use std::sync::Arc;

use nix::unistd::geteuid;

use crate::{
    call::{Peer, Quota},
    config::{AccessEntry, AdminRight, Config},
};

/// The rules.
#[derive(Debug)]
pub struct Access {
    entries: Vec<(AccessEntry, Arc<[String]>)>,
    own_uid: u32,
}

/// A peer that was admitted.
#[derive(Debug)]
pub struct Caller {
    /// The peer.
    pub peer: Peer,
    /// What it may do.
    pub rights: Rights,
}

/// What a peer may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The apps that it may call; `None` for all.
    apps: Option<Arc<[String]>>,
    /// What it may see and do.
    pub admin: AdminRight,
    /// How much of the pool is its own.
    pub quota: Quota,
    /// Its connections, if an entry says so.
    pub max_connections: Option<u32>,
}

/// Why a peer may not do what it asked for. The messages are complete sentences
/// without a period; the client reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It may not call the app.
    #[error(
        "{peer} may not call app `{app}`; ask the operator of this dirtyd for an [[access]] entry that names it"
    )]
    App {
        /// The peer.
        peer: Peer,
        /// The app.
        app: String,
    },
    /// It may not use a method of the Admin service.
    #[error(
        "{peer} may not use {method}; only root, the user that dirtyd runs as, and users with admin = \"{needs}\" in an [[access]] entry may"
    )]
    NotAnOperator {
        /// The peer.
        peer: Peer,
        /// The method, such as `dirty.v1.Admin/Scale`.
        method: String,
        /// The right that it needs.
        needs: &'static str,
    },
}

impl Access {
    /// The rules of a configuration.
    pub fn new(config: &Config) -> Self {
        let with_apps =
            |entry: &AccessEntry| (entry.clone(), entry.apps.clone().unwrap_or_default().into());
        Self { entries: config.access.iter().map(with_apps).collect(), own_uid: geteuid().as_raw() }
    }

    /// Whether an entry is about groups, so that a peer's have to be known.
    pub fn asks_for_groups(&self) -> bool {
        self.entries.iter().any(|(entry, _)| !entry.gids.is_empty())
    }

    /// The rights of a peer whose process is in `groups`, too; `None` if it may
    /// not connect. The first entry that matches decides.
    pub fn rights(&self, peer: &Peer, groups: &[u32]) -> Option<Rights> {
        let entry = self.entries.iter().find(|(entry, _)| is_about(entry, peer, groups));
        let is_own = peer.uid().is_some_and(|uid| uid == 0 || uid == self.own_uid);
        let rights = entry.map(|(entry, apps)| Rights {
            apps: entry.apps.is_some().then(|| Arc::clone(apps)),
            admin: entry.admin,
            quota: Quota {
                weight: entry.weight,
                max_running: entry.max_running,
                max_queue: entry.max_queue,
            },
            max_connections: entry.max_connections,
        });
        match rights {
            Some(rights) if is_own => {
                Some(Rights { apps: None, admin: AdminRight::Full, ..rights })
            }
            None if is_own => Some(Rights::of(AdminRight::Full)),
            None if self.entries.is_empty() => Some(Rights::of(AdminRight::Read)),
            rights => rights,
        }
    }
}

fn is_about(entry: &AccessEntry, peer: &Peer, groups: &[u32]) -> bool {
    match peer {
        Peer::Process { uid, gid, .. } => {
            let is_in = |group: &u32| group == gid || groups.contains(group);
            entry.uids.contains(uid) || entry.gids.iter().any(is_in)
        }
        Peer::Unknown => false,
    }
}

impl Rights {
    /// All apps, no quota.
    fn of(admin: AdminRight) -> Self {
        Self { apps: None, admin, quota: Quota::default(), max_connections: None }
    }

    /// Whether its connections may use the places that are kept for operators.
    pub fn is_operator(&self) -> bool {
        self.admin == AdminRight::Full
    }
}

impl Caller {
    /// Checks that it may call an app.
    ///
    /// # Errors
    /// It may not.
    pub fn may_call(&self, app: &str) -> Result<(), Denied> {
        match &self.rights.apps {
            Some(patterns) if !patterns.iter().any(|pattern| matches(pattern, app)) => {
                Err(Denied::App { peer: self.peer.clone(), app: app.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Checks that it may use a method, by its path.
    ///
    /// # Errors
    /// It may not.
    pub fn may_use(&self, path: &str) -> Result<(), Denied> {
        let (needed, needs) = match path.strip_prefix("/dirty.v1.Admin/") {
            None => return Ok(()),
            Some("Status" | "WatchEvents" | "ListCalls") => (AdminRight::Read, "read"),
            // Whatever is added needs the full right, until it stands above.
            Some(_) => (AdminRight::Full, "full"),
        };
        if self.rights.admin >= needed {
            return Ok(());
        }
        let method = path.trim_start_matches('/').to_owned();
        Err(Denied::NotAnOperator { peer: self.peer.clone(), method, needs })
    }
}

/// Whether a text is what a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    let mut at = 0;
    for part in parts {
        match text[at..].find(part) {
            Some(found) => at += found + part.len(),
            None => return false,
        }
    }
    text[at..].ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    fn access(text: &str) -> Access {
        let text = format!("{text}\n[[app]]\npath = \"a:A\"");
        let raw = Raw::from_text("dirtyd.toml".as_ref(), text).expect("valid");
        let mut access = Access::new(&Config::from_raw(raw).expect("valid"));
        access.own_uid = 1000;
        access
    }

    fn user(uid: u32) -> Peer {
        Peer::Process { uid, gid: uid, pid: Some(7) }
    }

    fn caller(access: &Access, uid: u32, groups: &[u32]) -> Option<Caller> {
        let peer = user(uid);
        access.rights(&peer, groups).map(|rights| Caller { peer, rights })
    }

    #[test]
    fn without_an_entry_everybody_may_call_and_look_and_operators_operate() {
        let access = access("");
        let other = caller(&access, 33, &[]).expect("the file mode lets it in");
        assert_eq!(other.may_call("any:App"), Ok(()));
        for path in
            ["Status", "WatchEvents", "ListCalls"].map(|method| format!("/dirty.v1.Admin/{method}"))
        {
            assert_eq!(other.may_use(&path), Ok(()));
        }
        for path in ["Scale", "Reload", "CancelCall", "GetStacks", "Later"]
            .map(|method| format!("/dirty.v1.Admin/{method}"))
        {
            let denied = other.may_use(&path).expect_err("not an operator").to_string();
            assert!(denied.contains("uid 33") && denied.contains("\"full\""), "{denied}");
            for own in [0, 1000] {
                assert_eq!(caller(&access, own, &[]).expect("never").may_use(&path), Ok(()));
            }
        }
        assert_eq!(other.may_use("/grpc.health.v1.Health/Check"), Ok(()));
        assert!(access.rights(&Peer::Unknown, &[]).is_some_and(|rights| !rights.is_operator()));
    }

    #[test]
    fn the_first_entry_that_matches_decides_and_nobody_else_comes_in() {
        let access = access(
            "[[access]]\nuids = [33]\napps = [\"shop.*:*\"]\nadmin = \"none\"\nweight = 3\n\
             [[access]]\nuids = [33, 34]\nadmin = \"full\"",
        );
        let web = caller(&access, 33, &[]).expect("listed");
        assert_eq!(web.may_call("shop.ml:Model"), Ok(()));
        let denied = web.may_call("bank:Vault").expect_err("not its app").to_string();
        assert!(denied.contains("uid 33") && denied.contains("`bank:Vault`"), "{denied}");
        assert!(web.may_use("/dirty.v1.Admin/Status").is_err());
        assert_eq!(web.rights.quota.weight, 3);
        assert!(caller(&access, 34, &[]).expect("listed").rights.is_operator());
        assert!(caller(&access, 35, &[]).is_none() && access.rights(&Peer::Unknown, &[]).is_none());
    }

    #[test]
    fn root_and_the_own_user_are_never_locked_out() {
        let access =
            access("[[access]]\nuids = [0, 1000]\napps = [\"x:X\"]\nadmin = \"none\"\nweight = 9");
        for uid in [0, 1000] {
            let own = caller(&access, uid, &[]).expect("never");
            assert!(own.rights.is_operator() && own.may_call("a:A").is_ok());
            assert_eq!(own.rights.quota.weight, 9, "its share is what the entry says");
        }
        let listed = self::access("allowed_uids = [33]");
        assert!(caller(&listed, 0, &[]).is_some() && caller(&listed, 1000, &[]).is_some());
        let other = caller(&listed, 33, &[]).expect("listed");
        assert!(other.may_use("/dirty.v1.Admin/Status").is_ok() && !other.rights.is_operator());
        assert!(caller(&listed, 34, &[]).is_none());
    }

    #[test]
    fn a_group_is_that_of_the_process_or_one_of_its_others() {
        let gid = nix::unistd::Group::from_gid(0.into()).expect("lookup").expect("a group 0").name;
        let access = access(&format!("[[access]]\ngroups = [\"{gid}\"]"));
        assert!(access.asks_for_groups());
        assert!(caller(&access, 33, &[5, 0]).is_some() && caller(&access, 33, &[5]).is_none());
        let primary = Peer::Process { uid: 33, gid: 0, pid: None };
        assert!(access.rights(&primary, &[]).is_some());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, is) in [
            ("a:A", "a:A", true),
            ("a:A", "a:AB", false),
            ("a:*", "a:AB", true),
            ("*", "", true),
            ("*:A", "a.b:A", true),
            ("a*b*c", "a-bb-c", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("é*", "éx", true),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }
}
