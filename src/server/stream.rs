//! The way of a stream's chunks to its reader. HTTP/2 asks for the next chunk
//! only when the reader has room, and only chunks that are asked for return
//! credit to the worker: that is how a slow reader stops the generator.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use tonic::Status;

use super::status::{self, Context};
use crate::{
    call::{CallError, Chunks, Credit, StreamItem, Ticket},
    config::Window,
};

/// The encoded messages of a stream.
pub type Chunked = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// A stream that is being read. Dropping it cancels the call.
pub struct ChunkStream {
    chunks: Chunks,
    /// Gone once the stream has ended by itself.
    ticket: Option<Ticket>,
    window: Window,
    context: Context,
    /// What was read and not yet returned as credit.
    unreturned: Credit,
}

impl ChunkStream {
    /// A stream over what the worker's task sends.
    pub fn new(chunks: Chunks, ticket: Ticket, window: Window, context: Context) -> Self {
        Self { chunks, ticket: Some(ticket), window, context, unreturned: Credit::default() }
    }

    /// The stream of encoded messages.
    pub fn into_stream(self) -> Chunked {
        Box::pin(futures_util::stream::unfold(self, |mut this| async move {
            let item = this.next().await?;
            Some((item, this))
        }))
    }

    async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        self.ticket.as_ref()?;
        let lost = StreamItem::Failed(CallError::Lost, None);
        match self.chunks.next().await.unwrap_or(lost) {
            StreamItem::Chunk(chunk) => {
                self.return_credit(chunk.len()).await;
                Some(Ok(chunk))
            }
            StreamItem::End => {
                self.ticket.take()?.done();
                None
            }
            StreamItem::Failed(error, worker) => {
                self.ticket.take()?.done();
                Some(Err(status::of_call(error, worker, &self.context)))
            }
        }
    }

    /// Returns credit in halves of the window: often enough that the worker
    /// need not stop, seldom enough that it costs little.
    async fn return_credit(&mut self, size: usize) {
        let Credit { chunks, bytes } = &mut self.unreturned;
        *chunks += 1;
        *bytes += size as u64;
        if *chunks * 2 < self.window.chunks && *bytes * 2 < self.window.bytes {
            return;
        }
        if let Some(ticket) = &self.ticket {
            ticket.credit(std::mem::take(&mut self.unreturned)).await;
        }
    }
}
