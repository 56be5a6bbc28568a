//! How far a stream may run ahead of its reader.

use crate::config::{
    declare::keys,
    rules::upgrade,
    units::{MIB, Size},
};

/// How far a stream may run ahead of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// In chunks.
    pub chunks: u32,
    /// In bytes of payload; one chunk may exceed it.
    pub bytes: u64,
}

keys! {
    /// Streams.
    pub struct Streams {
        /// how many chunks a stream may run ahead of its reader
        stream_window: u32 = 32, upgrade().at_least(1).at_most(65_536, "");
        /// the same in bytes; one chunk may exceed it
        stream_window_bytes: Size = Size(MIB),
            upgrade().at_least(Size(1)).at_most(Size(MIB * MIB), "");
    }
}

impl Streams {
    /// What the keys mean.
    pub fn meaning(&self) -> Window {
        Window { chunks: self.stream_window(), bytes: self.stream_window_bytes().0 }
    }
}
