//! Who may have a connection, and how many there may be, in all and of one user.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{
    access::{Access, Caller},
    counter::{Counted, Counter},
    locked::locked,
};
use crate::{
    call::{Peer, Principal},
    config::Config,
};

/// The number of refused clients that are told why at once; further ones are
/// only closed.
const MAX_REFUSALS: usize = 256;
/// The number of connections beyond the limit that are kept for operators: when
/// callers have taken all the others, somebody has to look.
const FOR_OPERATORS: usize = 16;

/// Why a connection is not served. The messages are complete sentences without
/// a period; the client reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The peer may not connect.
    #[error(
        "{0} may not connect to this dirtyd; ask its operator for an entry in allowed_uids or [[access]]"
    )]
    PeerNotAllowed(Peer),
    /// Its user has as many connections as one may have.
    #[error(
        "{peer} has {limit} connections open, as many as one user may; let calls share or reuse them, or raise max_connections of its [[access]] entry"
    )]
    TooManyOfUser {
        /// The peer.
        peer: Peer,
        /// The limit.
        limit: usize,
    },
    /// There are as many connections as there may be.
    #[error("{0} connections are open; let calls share or reuse them, or raise max_connections")]
    TooManyConnections(usize),
}

/// The rules of admission, and the connections that were admitted.
#[derive(Debug)]
pub struct Admission {
    access: Access,
    max_connections: usize,
    open: Counter,
    /// Those of peers that are no operators.
    of_callers: Counter,
    users: Users,
    refused: Counter,
}

/// The connections of each user.
#[derive(Debug, Clone, Default)]
pub struct Users(Arc<Mutex<HashMap<Principal, Counter>>>);

impl Users {
    /// How many each of them has.
    pub fn connections(&self) -> Vec<(Principal, usize)> {
        let counts = locked(&self.0);
        let counts = counts.iter().map(|(user, open)| (*user, open.count() as usize));
        counts.filter(|(_, open)| *open > 0).collect()
    }

    fn enter(&self, principal: Principal, limit: usize) -> Option<Counted> {
        let mut of_users = locked(&self.0);
        // Whose connections have ended is forgotten when others come.
        of_users.retain(|user, open| *user == principal || open.count() > 0);
        of_users.entry(principal).or_default().enter(limit)
    }
}

/// The places of an admitted connection: among all, among those of callers, and
/// among those of its user.
#[derive(Debug)]
pub struct Places {
    _among_all: Counted,
    _of_callers: Option<Counted>,
    _of_user: Counted,
}

impl Admission {
    /// The rules of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            access: Access::new(config),
            max_connections: config.limits.max_connections,
            open: Counter::default(),
            of_callers: Counter::default(),
            users: Users::default(),
            refused: Counter::default(),
        }
    }

    /// The count of open connections.
    pub fn open(&self) -> &Counter {
        &self.open
    }

    /// The connections of each user.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Whether the groups of a peer have to be known.
    pub fn asks_for_groups(&self) -> bool {
        self.access.asks_for_groups()
    }

    /// Takes a place for a connection that has just arrived, before it is known
    /// whose it is; `None` if not even a place for operators is free.
    pub fn enter(&self) -> Option<Counted> {
        self.open.enter(self.max_connections.saturating_add(FOR_OPERATORS))
    }

    /// Admits a peer that took a place when it arrived.
    ///
    /// # Errors
    /// It may not connect, or there is no place for it.
    pub fn admit(
        &self,
        peer: Peer,
        groups: &[u32],
        place: Option<Counted>,
    ) -> Result<(Caller, Places), Refusal> {
        let Some(rights) = self.access.rights(&peer, groups) else {
            return Err(Refusal::PeerNotAllowed(peer));
        };
        let full = || Refusal::TooManyConnections(self.max_connections);
        let among_all = place.ok_or_else(full)?;
        let is_operator = rights.is_operator();
        let of_callers = match is_operator {
            true => None,
            false => Some(self.of_callers.enter(self.max_connections).ok_or_else(full)?),
        };
        // One user leaves room for others.
        let own = rights.max_connections.map(|most| most as usize);
        let limit = match is_operator {
            true => own.unwrap_or(usize::MAX),
            false => own.unwrap_or(self.max_connections - self.max_connections / 4),
        };
        let of_user = self.users.enter(peer.principal(), limit);
        let Some(of_user) = of_user else { return Err(Refusal::TooManyOfUser { peer, limit }) };
        let (_among_all, _of_callers, _of_user) = (among_all, of_callers, of_user);
        let places = Places { _among_all, _of_callers, _of_user };
        Ok((Caller { peer, rights }, places))
    }

    /// Takes a place among the refused clients that are told why.
    pub fn enter_refused(&self) -> Option<Counted> {
        self.refused.enter(MAX_REFUSALS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    fn admission(text: &str) -> Admission {
        let text = format!("{text}\n[[app]]\npath = \"a:A\"");
        let raw = Raw::from_text("dirtyd.toml".as_ref(), text).expect("valid");
        Admission::new(&Config::from_raw(raw).expect("valid"))
    }

    fn user(uid: u32) -> Peer {
        Peer::Process { uid, gid: uid, pid: Some(77) }
    }

    fn connect(admission: &Admission, uid: u32) -> Result<(Caller, Places), Refusal> {
        admission.admit(user(uid), &[], admission.enter())
    }

    #[test]
    fn a_list_admits_those_on_it_and_nobody_unknown() {
        let listed = admission("allowed_uids = [33]");
        assert!(connect(&listed, 33).is_ok());
        for other in [user(34), Peer::Unknown] {
            let refusal = listed.admit(other.clone(), &[], listed.enter()).expect_err("refused");
            assert!(refusal.to_string().starts_with(&other.to_string()), "{refusal}");
        }
        assert_eq!(listed.open().count(), 0, "their places are free again");
        let unlisted = admission("");
        assert!(
            unlisted.admit(Peer::Unknown, &[], unlisted.enter()).is_ok(),
            "the file mode decides"
        );
    }

    #[test]
    fn one_user_cannot_take_the_connections_of_all() {
        let admission = admission("max_connections = 8");
        let open: Vec<_> = (0..6).map(|_| connect(&admission, 33).expect("its share")).collect();
        let refusal = connect(&admission, 33).expect_err("more than its share");
        assert_eq!(refusal, Refusal::TooManyOfUser { peer: user(33), limit: 6 });
        assert!(connect(&admission, 34).is_ok(), "another user");
        drop(open);
        assert!(connect(&admission, 33).is_ok(), "there is room again");
    }

    #[test]
    fn an_operator_comes_in_when_callers_have_taken_all() {
        let admission = admission("max_connections = 4");
        let open: Vec<_> = (0..4).map(|uid| connect(&admission, 33 + uid).expect("room")).collect();
        assert_eq!(connect(&admission, 99).expect_err("full"), Refusal::TooManyConnections(4));
        let operators: Vec<_> = (0..FOR_OPERATORS).map(|_| connect(&admission, 0)).collect();
        assert!(operators.iter().all(Result::is_ok), "{operators:?}");
        assert_eq!(connect(&admission, 0).expect_err("full"), Refusal::TooManyConnections(4));
        drop(open);
    }

    #[test]
    fn an_entry_sets_the_connections_of_each_of_its_users() {
        let admission = admission("[[access]]\nuids = [33, 34]\nmax_connections = 1");
        let _first = connect(&admission, 33).expect("one");
        assert!(connect(&admission, 33).is_err() && connect(&admission, 34).is_ok());
    }
}
