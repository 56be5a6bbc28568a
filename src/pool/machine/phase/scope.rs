//! Which pools a reload concerns.

use std::fmt;

use super::super::turn::Note;

/// Which pools a reload concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them, and what holds for all.
    All,
    /// One; the others stay as they run.
    One(String),
}

impl Scope {
    /// That of a request, which names a pool or none.
    pub fn of(pool: String) -> Self {
        if pool.is_empty() { Self::All } else { Self::One(pool) }
    }

    /// Whether it has a pool of this name.
    pub fn has(&self, pool: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(name) => name == pool,
        }
    }

    /// A note about it.
    pub fn note(&self, note: Note) -> Note {
        match self {
            Self::All => note,
            Self::One(name) => note.pool(name),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("reload"),
            Self::One(name) => write!(f, "reload of pool `{name}`"),
        }
    }
}
