//! The way of a stream's chunks to its reader. HTTP/2 asks for the next chunk
//! only when the reader has room, and only chunks that were asked for return
//! credit to the worker: that is how a slow reader stops the generator.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use tonic::Status;

use super::{
    held::{Held, NoRoom},
    status::{self, CallFacts},
};
use crate::{
    call::{CallError, Chunks, Credit, Principal, StreamItem, Ticket},
    config::Window,
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
    facts: CallFacts,
) -> EncodedChunks {
    let unreturned = Credit::default();
    let reading = Reading { chunks, ticket: Some(ticket), window, held, facts, unreturned };
    Box::pin(futures_util::stream::unfold(reading, |mut reading| async move {
        let item = reading.next().await?;
        Some((item, reading))
    }))
}

/// A stream that is being read.
struct Reading {
    chunks: Chunks,
    /// Gone once the stream has ended by itself.
    ticket: Option<Ticket>,
    window: Window,
    held: (Held, Principal),
    facts: CallFacts,
    /// What was read and not yet returned as credit.
    unreturned: Credit,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<Bytes, Status>> {
        self.ticket.as_ref()?;
        let lost = StreamItem::Failed(CallError::Lost, None);
        match self.chunks.next().await.unwrap_or(lost) {
            StreamItem::Chunk(chunk) => {
                self.return_credit(chunk.len()).await;
                Some(Ok(chunk))
            }
            StreamItem::NoRoom => {
                // Dropping the ticket cancels the call.
                self.ticket = None;
                let (held, of) = &self.held;
                let no_room = held.has_room(*of).err();
                let no_room = no_room.unwrap_or(NoRoom::ForAnybody(held.limit()));
                Some(Err(status::no_room_for_result(no_room, &self.facts)))
            }
            StreamItem::End => {
                self.ticket.take()?.done();
                None
            }
            StreamItem::Failed(error, worker) => {
                self.ticket.take()?.done();
                Some(Err(status::of_call(error, worker, &self.facts)))
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
        if let Some(ticket) = &self.ticket {
            ticket.credit(std::mem::take(&mut self.unreturned)).await;
        }
    }
}
