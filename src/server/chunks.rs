//! The way of a stream's chunks to its reader. HTTP/2 asks for the next chunk
//! only when the reader has room, and only chunks that were asked for return
//! credit to the worker: that is how a slow reader stops the generator.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use tonic::Status;

use super::{
    held::{Held, NoRoom},
    status,
};
use crate::{
    call::{CallError, CallFacts, Chunks, Credit, Principal, StreamItem, Ticket},
    config::Window,
    observe::Watch,
};

/// The encoded messages of a stream. Dropping it cancels the call.
pub type EncodedChunks = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The encoded messages of a call whose chunks come from its worker's task.
/// `held` knows why there was no room for one.
pub fn encoded(
    chunks: Chunks,
    ticket: Ticket,
    window: Window,
    held: (Held, Principal),
    watch: Watch,
) -> EncodedChunks {
    let unreturned = Credit::default();
    let going_on = Some((ticket, watch));
    let reading = Reading { chunks, going_on, window, held, unreturned };
    Box::pin(futures_util::stream::unfold(reading, |mut reading| async move {
        let item = reading.next().await?;
        Some((item, reading))
    }))
}

/// A stream that is being read.
struct Reading {
    chunks: Chunks,
    /// Gone once the stream has ended by itself.
    going_on: Option<(Ticket, Watch)>,
    window: Window,
    held: (Held, Principal),
    /// What was read and not yet returned as credit.
    unreturned: Credit,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        self.going_on.as_ref()?;
        let lost = StreamItem::Failed(CallError::Lost, None);
        match self.chunks.next().await.unwrap_or(lost) {
            StreamItem::Chunk(chunk) => {
                if let Some((_, watch)) = &self.going_on {
                    watch.chunk(chunk.len());
                }
                self.return_credit(chunk.len()).await;
                Some(Ok(chunk))
            }
            StreamItem::NoRoom => {
                // Dropping the ticket cancels the call.
                let (_ticket, watch) = self.going_on.take()?;
                let (held, of) = &self.held;
                let no_room = held.has_room(*of).err();
                let no_room = no_room.unwrap_or(NoRoom::ForAnybody(held.limit()));
                Some(Err(failed(watch, |facts| status::no_room_for_result(no_room, facts))))
            }
            StreamItem::End => {
                let (ticket, mut watch) = self.going_on.take()?;
                ticket.done();
                watch.served(0);
                None
            }
            StreamItem::Failed(error, worker) => {
                let (ticket, watch) = self.going_on.take()?;
                ticket.done();
                Some(Err(failed(watch, |facts| status::of_call(error, worker, facts))))
            }
        }
    }

    /// Returns credit in halves of the window: often enough that the worker does
    /// not have to stop, seldom enough that it costs little.
    async fn return_credit(&mut self, size: usize) {
        let Credit { chunks, bytes } = &mut self.unreturned;
        *chunks += 1;
        *bytes += size as u64;
        if *chunks * 2 < self.window.chunks && *bytes * 2 < self.window.bytes {
            return;
        }
        if let Some((ticket, _)) = &self.going_on {
            ticket.credit(std::mem::take(&mut self.unreturned)).await;
        }
    }
}

/// Records how a call failed.
fn failed(mut watch: Watch, error: impl FnOnce(&CallFacts) -> Status) -> Status {
    let error = error(&watch.story().facts());
    watch.failed(status::failed(&error));
    error
}
