//! Who may have a connection, and how many there may be.

use super::counter::{Counted, Counter};
use crate::{call::Peer, config::Config};

/// The number of refused clients that are told why at once; further ones are
/// only closed.
const MAX_REFUSALS: usize = 32;

/// Why a connection is not served. The messages are complete sentences without
/// a period; the client reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The peer may not connect.
    #[error("{0} is not in allowed_uids of this dirtyd; ask its operator to add the user id")]
    PeerNotAllowed(Peer),
    /// There are as many connections as there may be.
    #[error("{0} connections are open; share a channel between calls, or raise max_connections")]
    TooManyConnections(usize),
}

/// The rules of admission, and the connections that were admitted.
#[derive(Debug)]
pub struct Admission {
    allowed_uids: Option<Vec<u32>>,
    max_connections: usize,
    open: Counter,
    refused: Counter,
}

impl Admission {
    /// The rules of a configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            allowed_uids: config.allowed_uids.clone(),
            max_connections: config.limits.max_connections,
            open: Counter::default(),
            refused: Counter::default(),
        }
    }

    /// The count of open connections.
    pub fn open(&self) -> &Counter {
        &self.open
    }

    /// Takes a place among the open connections.
    ///
    /// # Errors
    /// All places are taken.
    pub fn enter(&self) -> Result<Counted, Refusal> {
        let full = || Refusal::TooManyConnections(self.max_connections);
        self.open.enter(self.max_connections).ok_or_else(full)
    }

    /// Checks that a peer may connect.
    ///
    /// # Errors
    /// The peer is not one of those that may.
    pub fn check(&self, peer: &Peer) -> Result<(), Refusal> {
        match &self.allowed_uids {
            Some(allowed) if !peer.uid().is_some_and(|uid| allowed.contains(&uid)) => {
                Err(Refusal::PeerNotAllowed(peer.clone()))
            }
            _ => Ok(()),
        }
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

    fn admission(allowed_uids: Option<Vec<u32>>) -> Admission {
        let apps = vec!["app:App".parse().expect("a path")];
        let mut config = Config::from_raw(Raw::of_apps(apps)).expect("valid");
        config.allowed_uids = allowed_uids;
        Admission::new(&config)
    }

    fn user(uid: u32) -> Peer {
        Peer::Process { uid, gid: 0, pid: Some(77) }
    }

    #[test]
    fn a_list_admits_those_on_it_and_nobody_unknown() {
        let listed = admission(Some(vec![33]));
        assert_eq!(listed.check(&user(33)), Ok(()));
        for other in [user(34), Peer::Unknown] {
            let refusal = listed.check(&other).expect_err("refused");
            assert!(refusal.to_string().starts_with(&other.to_string()), "{refusal}");
        }
        assert_eq!(admission(None).check(&Peer::Unknown), Ok(()), "the file mode decides");
    }
}
