//! The credit of a stream, as the arbiter counts it. This is the only place on
//! the arbiter's side: the channel to the reader has room for a whole window, so
//! what has credit has room.

use std::time::Instant;

use crate::{call::Credit, config::Window};

/// How far a stream may still go.
#[derive(Debug)]
pub struct Flow {
    chunks: i64,
    bytes: i64,
    exhausted: Option<Exhausted>,
}

/// The worker waits for the reader.
#[derive(Debug, Clone, Copy)]
pub struct Exhausted {
    /// Since when.
    pub since: Instant,
    /// The number of chunks that the reader had taken then.
    pub read: u64,
}

impl Flow {
    /// The flow of a stream that starts with `window`.
    pub fn new(window: Window) -> Self {
        let bytes = i64::try_from(window.bytes).unwrap_or(i64::MAX);
        Self { chunks: window.chunks.into(), bytes, exhausted: None }
    }

    /// Counts a chunk of `size` bytes; false if there was no credit for it.
    /// `read` is the number of chunks that the reader has taken.
    #[must_use]
    pub fn take(&mut self, size: usize, read: u64, now: Instant) -> bool {
        if self.chunks <= 0 || self.bytes <= 0 {
            return false;
        }
        self.chunks -= 1;
        self.bytes = self.bytes.saturating_sub(i64::try_from(size).unwrap_or(i64::MAX));
        if self.chunks == 0 || self.bytes <= 0 {
            self.exhausted = Some(Exhausted { since: now, read });
        }
        true
    }

    /// Counts credit that the reader returned; true if the worker waited for it.
    pub fn give(&mut self, credit: Credit) -> bool {
        let bytes = i64::try_from(credit.bytes).unwrap_or(i64::MAX);
        self.chunks = self.chunks.saturating_add(credit.chunks.into());
        self.bytes = self.bytes.saturating_add(bytes);
        self.chunks > 0 && self.bytes > 0 && self.exhausted.take().is_some()
    }

    /// Since when the worker waits for the reader, if it does.
    pub fn exhausted(&mut self) -> Option<&mut Exhausted> {
        self.exhausted.as_mut()
    }

    /// Since when the worker waits for the reader, if it does.
    pub fn waits_since(&self) -> Option<Instant> {
        self.exhausted.map(|exhausted| exhausted.since)
    }

    /// The number of chunks that may still come.
    pub fn chunks_left(&self) -> u64 {
        u64::try_from(self.chunks).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_chunks_and_bytes() {
        let now = Instant::now();
        let mut flow = Flow::new(Window { chunks: 2, bytes: 100 });
        assert!(flow.take(500, 0, now), "one chunk may exceed the bytes");
        assert!(!flow.take(1, 0, now), "then there is no credit");
        assert!(flow.give(Credit { chunks: 1, bytes: 500 }), "the worker waited");
        assert!(flow.take(1, 0, now) && flow.take(1, 0, now));
        assert!(!flow.take(1, 0, now), "the chunks are used up");
        assert_eq!(flow.chunks_left(), 0);
        assert!(!flow.give(Credit { chunks: 0, bytes: 1 }), "it waits for chunks");
    }
}
