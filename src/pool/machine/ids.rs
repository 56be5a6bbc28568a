//! The names of the rows of the pool's tables. None is ever used twice, so that
//! an old name can never mean something new.

use std::fmt;

/// An app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub usize);

/// A pool of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub usize);

/// A seat: the place of one worker in a pool, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatId {
    /// Its pool.
    pub pool: PoolId,
    /// Its place there.
    pub index: usize,
}

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seat {}", self.index)
    }
}

/// A worker process.
pub type WorkerId = u64;
