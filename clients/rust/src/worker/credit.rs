//! The credit of one stream: how the arbiter holds it back.

use tokio::sync::watch;

use crate::proto::worker;

/// What a stream may still send.
#[derive(Debug)]
pub struct Credit(watch::Sender<Left>);

#[derive(Debug, Clone, Copy)]
struct Left {
    chunks: i64,
    bytes: i64,
}

impl Credit {
    /// The credit that a request brings.
    pub fn new(credit: worker::Credit) -> Self {
        let left = Left { chunks: credit.chunks.into(), bytes: credit.bytes as i64 };
        Self(watch::Sender::new(left))
    }

    /// Notes a Credit frame.
    pub fn add(&self, credit: worker::Credit) {
        self.0.send_modify(|left| {
            left.chunks += i64::from(credit.chunks);
            left.bytes += credit.bytes as i64;
        });
    }

    /// Waits until both counts are above zero, then takes a chunk of `size`
    /// bytes, by which the bytes may fall below zero. One taker at a time.
    pub async fn take(&self, size: usize) {
        let mut changes = self.0.subscribe();
        // The sender is ours, so it cannot be gone.
        let _ = changes.wait_for(|left| left.chunks > 0 && left.bytes > 0).await;
        self.0.send_modify(|left| {
            left.chunks -= 1;
            left.bytes -= size as i64;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn grant(chunks: u32, bytes: u64) -> worker::Credit {
        worker::Credit { call_id: 0, chunks, bytes }
    }

    #[test]
    fn a_chunk_needs_both_counts_and_may_overdraw_the_bytes() {
        let credit = Credit::new(grant(3, 10));
        assert!(credit.take(9).now_or_never().is_some());
        assert!(credit.take(500).now_or_never().is_some(), "one byte is left");
        assert!(credit.take(0).now_or_never().is_none(), "499 bytes are owed");
        credit.add(grant(0, 499));
        assert!(credit.take(0).now_or_never().is_none(), "zero is not above zero");
        credit.add(grant(0, 1));
        assert!(credit.take(0).now_or_never().is_some());
        assert!(credit.take(0).now_or_never().is_none(), "no chunk is left");
        credit.add(grant(1, 0));
        assert!(credit.take(1).now_or_never().is_some());
    }
}
