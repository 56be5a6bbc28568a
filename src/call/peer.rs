//! Who calls.

use std::fmt;

/// The other end of a connection, as the kernel or the handshake vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A process on this machine, by SO_PEERCRED.
    Process {
        /// Its effective user.
        uid: u32,
        /// Its effective group.
        gid: u32,
        /// Its process id, if the kernel told it.
        pid: Option<i32>,
    },
    /// Nobody vouches for it.
    Unknown,
}

impl Peer {
    /// Its user id, if it has one.
    pub fn uid(self) -> Option<u32> {
        match self {
            Self::Process { uid, .. } => Some(uid),
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
