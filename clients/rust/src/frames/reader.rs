//! Reading frames.

use std::{io, marker::PhantomData};

use bytes::{Buf as _, BytesMut};
use prost::Message;
use tokio::io::AsyncReadExt as _;

use super::PREFIX;
use crate::system::SocketReader;

/// What a frame may hold beyond the largest message.
const OVERHEAD: usize = 1024 * 1024;

/// A fault in what the other side sent.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The socket failed.
    #[error("its socket failed: {0}")]
    Io(#[from] io::Error),
    /// A frame is larger than any valid one.
    #[error("it sent a frame of {length} bytes, over the limit of {limit}")]
    TooLarge {
        /// What the prefix says.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A frame is not an encoded message of its type.
    #[error("it sent a malformed frame: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The socket was closed inside a frame.
    #[error("it closed its socket in the middle of a frame")]
    Truncated,
}

/// Reads frames.
#[derive(Debug)]
pub struct FrameReader<F> {
    socket: SocketReader,
    buffer: BytesMut,
    limit: usize,
    frames: PhantomData<fn() -> F>,
}

impl<F: Message + Default> FrameReader<F> {
    /// A reader for messages up to `max_message_size` bytes.
    pub fn new(socket: SocketReader, max_message_size: usize) -> Self {
        let mut reader = Self { socket, buffer: BytesMut::new(), limit: 0, frames: PhantomData };
        reader.set_limit(max_message_size);
        reader
    }

    /// Takes messages up to `max_message_size` bytes from here on.
    pub fn set_limit(&mut self, max_message_size: usize) {
        self.limit = max_message_size.saturating_add(OVERHEAD);
    }

    /// The next frame; `None` at a clean end. Cancel safe.
    ///
    /// # Errors
    /// The other side broke the protocol or the socket failed.
    pub async fn next(&mut self) -> Result<Option<F>, FrameError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(Some(frame));
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
    }

    /// Takes a frame out of the buffer, or makes room for the rest of it.
    fn buffered(&mut self) -> Result<Option<F>, FrameError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>() else {
            self.buffer.reserve(8 * 1024);
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > self.limit {
            return Err(FrameError::TooLarge { length, limit: self.limit });
        }
        if self.buffer.len() < PREFIX + length {
            self.buffer.reserve(PREFIX + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        let frame = self.buffer.split_to(length).freeze();
        Ok(Some(F::decode(frame)?))
    }
}
