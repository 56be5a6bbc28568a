//! The way of an answer: one result for Execute, a bounded sequence of chunks
//! for ExecuteStream.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::{CallError, WorkerRef};

/// Chunks of up to this size in bytes are copied if they have to wait.
const SMALL: usize = 4096;

/// The outcome of a call, and the worker that it ran in, if any.
pub type Outcome<T> = Result<T, (CallError, Option<WorkerRef>)>;

/// The sending side of an answer.
#[derive(Debug)]
pub enum Reply {
    /// Execute: an encoded `dirty.v1.ExecuteResponse`.
    Unary(oneshot::Sender<Outcome<Bytes>>),
    /// ExecuteStream.
    Stream(Sink),
}

impl Reply {
    /// Whether the caller has left.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Unary(sender) => sender.is_closed(),
            Self::Stream(sink) => sink.items.is_closed(),
        }
    }

    /// Gives the caller its last word. The payload is a result or the last chunk
    /// of a stream; without one a stream just ends, while a caller of Execute
    /// would learn that its call is [lost](CallError::Lost). The caller may be
    /// gone already; that is fine.
    pub fn end(self, outcome: Result<Option<Bytes>, CallError>, worker: WorkerRef) {
        match (self, outcome) {
            (reply, Err(error)) => reply.fail(error, Some(worker)),
            (Self::Unary(sender), Ok(Some(payload))) => drop(sender.send(Ok(payload))),
            (Self::Unary(sender), Ok(None)) => drop(sender),
            (Self::Stream(sink), Ok(payload)) => {
                if let Some(chunk) = payload {
                    sink.send(chunk);
                }
                sink.last(StreamItem::End);
            }
        }
    }

    /// Ends the call badly. The caller may be gone already; that is fine.
    pub fn fail(self, error: CallError, worker: Option<WorkerRef>) {
        match self {
            Self::Unary(sender) => drop(sender.send(Err((error, worker)))),
            Self::Stream(sink) => sink.last(StreamItem::Failed(error, worker)),
        }
    }
}

/// One element of a stream's way back.
#[derive(Debug)]
pub enum StreamItem {
    /// An encoded `dirty.v1.ExecuteStreamResponse`.
    Chunk(Bytes),
    /// The stream ended well.
    End,
    /// The stream ended badly.
    Failed(CallError, Option<WorkerRef>),
    /// A chunk came for which there is no room; nobody is to read on.
    NoRoom,
}

/// What happens to a chunk before it waits for its reader: it is counted as long as it
/// does. `None` if there is no room for it.
pub struct Hold(Box<dyn Fn(Bytes) -> Option<Bytes> + Send + Sync>);

impl Hold {
    /// By this function.
    pub fn new(hold: impl Fn(Bytes) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        Self(Box::new(hold))
    }

    /// Nothing happens to it.
    #[cfg(any(test, feature = "internals"))]
    pub fn nothing() -> Self {
        Self::new(Some)
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// The sending side of a stream. Its channel has room for the whole credit
/// window, the result of an action that does not stream, and the last item;
/// whoever sends keeps to the credit.
#[derive(Debug)]
pub struct Sink {
    items: mpsc::Sender<StreamItem>,
    read: Arc<AtomicU64>,
    hold: Hold,
}

impl Sink {
    /// Passes a chunk on. A caller that left is no error here: the pool hears of
    /// it on its own way.
    pub fn send(&self, chunk: Bytes) {
        // One that has to wait keeps no more than itself: it may be a few bytes of a
        // large buffer.
        let waits = self.items.capacity() < self.items.max_capacity();
        let chunk = match waits && chunk.len() <= SMALL {
            true => Bytes::copy_from_slice(&chunk),
            false => chunk,
        };
        let item = (self.hold.0)(chunk).map_or(StreamItem::NoRoom, StreamItem::Chunk);
        let sent = self.items.try_send(item);
        debug_assert!(
            !matches!(sent, Err(mpsc::error::TrySendError::Full(_))),
            "a chunk with credit has room"
        );
    }

    /// Passes the last item on.
    pub fn last(self, item: StreamItem) {
        // A full channel is impossible, a closed one fine.
        drop(self.items.try_send(item));
    }

    /// The number of chunks that the reader has taken so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// The receiving side of a stream.
#[derive(Debug)]
pub struct Chunks {
    items: mpsc::Receiver<StreamItem>,
    read: Arc<AtomicU64>,
}

impl Chunks {
    /// The number of items that wait to be read.
    #[cfg(any(test, feature = "internals"))]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The next item; `None` if the arbiter lost the call.
    pub async fn next(&mut self) -> Option<StreamItem> {
        let item = self.items.recv().await;
        if matches!(item, Some(StreamItem::Chunk(_))) {
            self.read.fetch_add(1, Ordering::Relaxed);
        }
        item
    }
}

/// The two ends of an answer to Execute.
pub fn reply_channel() -> (Reply, oneshot::Receiver<Outcome<Bytes>>) {
    let (sender, receiver) = oneshot::channel();
    (Reply::Unary(sender), receiver)
}

/// The two ends of an answer to ExecuteStream, for a window of `window` chunks, each of
/// which is held by `hold` until it is read.
pub fn stream_channel(window: u32, hold: Hold) -> (Reply, Chunks) {
    let (sender, receiver) = mpsc::channel(window as usize + 2);
    let read = Arc::new(AtomicU64::new(0));
    let sink = Sink { items: sender, read: Arc::clone(&read), hold };
    (Reply::Stream(sink), Chunks { items: receiver, read })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Buffer(Arc<AtomicU64>);

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &[7; 1 << 16]
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn small_chunks_that_wait_for_a_slow_reader_keep_no_large_buffers() {
        let freed = Arc::new(AtomicU64::new(0));
        let (reply, mut chunks) = stream_channel(32, Hold::nothing());
        let Reply::Stream(sink) = reply else { panic!("a stream") };
        for _ in 0..32 {
            sink.send(Bytes::from_owner(Buffer(Arc::clone(&freed))).slice(..10));
        }
        assert_eq!(freed.load(Ordering::Relaxed), 31, "the first one was to be read at once");
        for _ in 0..32 {
            let item = chunks.next().await;
            assert!(matches!(item, Some(StreamItem::Chunk(chunk)) if chunk[..] == [7; 10]));
        }
    }
}
