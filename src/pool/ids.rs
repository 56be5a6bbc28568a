//! The names of the rows of the pool's tables.

/// An app: its row. Rows are never reused; an app that a reload removes keeps
/// its row, so that an old id can never mean a new app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub usize);

/// A worker process: the arbiter's number for it, never reused.
pub type WorkerId = u64;
