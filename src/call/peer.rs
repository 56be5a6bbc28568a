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

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { uid, pid: Some(pid), .. } => write!(f, "uid {uid} (pid {pid})"),
            Self::Process { uid, .. } => write!(f, "uid {uid}"),
            Self::Unknown => f.write_str("an unknown peer"),
        }
    }
}
