//! Who calls.

use std::fmt;

/// The other end of a connection, as the kernel or a handshake vouches for it.
/// Cloned for each call, so a variant must be cheap to clone: a name belongs in
/// an `Arc<str>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A process on this machine, by SO_PEERCRED.
    Process {
        /// Its effective user.
        uid: u32,
        /// Its effective group.
        gid: u32,
        /// Its process id, if the kernel knows it.
        pid: Option<i32>,
    },
    /// Nobody vouches for it.
    Unknown,
}

/// Whom a call is counted for where peers compete: all connections of one user
/// are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A user of this machine.
    Uid(u32),
    /// Everybody for whom nobody vouches.
    Unknown,
}

/// How much of the pool a principal may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Its share where it competes with others; at least 1.
    pub weight: u32,
    /// Its calls that run at once.
    pub max_running: Option<u32>,
    /// Its calls that wait.
    pub max_queue: Option<u32>,
}

impl Default for Quota {
    fn default() -> Self {
        Self { weight: 1, max_running: None, max_queue: None }
    }
}

impl Peer {
    /// Whom its calls are counted for.
    pub fn principal(&self) -> Principal {
        match self {
            Self::Process { uid, .. } => Principal::Uid(*uid),
            Self::Unknown => Principal::Unknown,
        }
    }

    /// Its user id, if it has one.
    pub fn uid(&self) -> Option<u32> {
        match self {
            Self::Process { uid, .. } => Some(*uid),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uid(uid) => write!(f, "uid {uid}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { uid, pid: Some(pid), .. } => write!(f, "uid {uid} (pid {pid})"),
            Self::Process { uid, .. } => write!(f, "uid {uid}"),
            Self::Unknown => f.write_str("an unknown peer"),
        }
    }
}
