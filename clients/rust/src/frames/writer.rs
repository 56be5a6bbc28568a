//! Writing frames.

use std::{collections::VecDeque, io, io::IoSlice};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};

use super::PREFIX;
use crate::system::SocketWriter;

/// Payloads up to this size are copied into the frame's head: cheaper than a
/// further element of writev.
pub(super) const INLINE: usize = 4096;
/// The field of every message that carries a payload.
const PAYLOAD_TAG: u32 = 15;
/// How many buffers one writev takes.
const MAX_SLICES: usize = 16;

/// Writes frames; keeps what the socket does not take at once.
///
/// Bounded by its use: one payload per slot of the worker, chunks within their
/// credit, and a few small frames per running call.
#[derive(Debug)]
pub struct FrameWriter {
    socket: SocketWriter,
    /// Complete buffers, oldest first.
    full: VecDeque<Bytes>,
    /// Small frames that still grow.
    tail: BytesMut,
    pub(super) queued: u64,
    written: u64,
}

impl FrameWriter {
    /// A writer with nothing to write.
    pub fn new(socket: SocketWriter) -> Self {
        let (full, tail) = (VecDeque::new(), BytesMut::new());
        Self { socket, full, tail, queued: 0, written: 0 }
    }

    /// Queues a small frame.
    pub fn push(&mut self, frame: &impl Message) {
        let length = frame.encoded_len();
        self.tail.reserve(PREFIX + length);
        self.tail.put_u32(length as u32);
        frame.encode(&mut self.tail).expect("BytesMut grows");
        self.queued += (PREFIX + length) as u64;
    }

    /// Queues the message `head`, whose own `payload` is empty, with the given
    /// payload, as the field `kind` of a frame. Gives the position in the byte
    /// stream at which it ends.
    pub fn push_payload(&mut self, kind: u32, head: &impl Message, payload: Bytes) -> u64 {
        let payload_len = key_len(PAYLOAD_TAG) + encoded_len_varint(payload.len() as u64);
        let message_len = head.encoded_len() + payload_len + payload.len();
        let frame_len = key_len(kind) + encoded_len_varint(message_len as u64) + message_len;
        self.tail.reserve(PREFIX + frame_len - payload.len() + payload.len().min(INLINE));
        self.tail.put_u32(frame_len as u32);
        encode_key(kind, WireType::LengthDelimited, &mut self.tail);
        encode_varint(message_len as u64, &mut self.tail);
        head.encode_raw(&mut self.tail);
        encode_key(PAYLOAD_TAG, WireType::LengthDelimited, &mut self.tail);
        encode_varint(payload.len() as u64, &mut self.tail);
        if payload.len() <= INLINE {
            self.tail.put_slice(&payload);
        } else {
            self.full.push_back(self.tail.split().freeze());
            self.full.push_back(payload);
        }
        self.queued += (PREFIX + frame_len) as u64;
        self.queued
    }

    /// Whether anything waits to be written.
    pub fn is_pending(&self) -> bool {
        self.written < self.queued
    }

    /// At which position in the byte stream the next frame begins.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    /// How many bytes the socket has taken.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes as much as the socket takes now.
    ///
    /// # Errors
    /// The socket failed; its reading side tells more.
    pub fn write_now(&mut self) -> io::Result<()> {
        while self.is_pending() {
            match self.write_once() {
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until the socket takes more, and writes. Cancel safe.
    ///
    /// # Errors
    /// As [`write_now`](Self::write_now).
    pub async fn flush(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.socket.poll_room(cx)).await?;
        self.write_now()
    }

    fn write_once(&mut self) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let buffers = self.full.iter().map(Bytes::as_ref).chain([self.tail.as_ref()]);
        let mut used = 0;
        for (slice, buffer) in slices.iter_mut().zip(buffers) {
            *slice = IoSlice::new(buffer);
            used += 1;
        }
        self.socket.try_write(&slices[..used])
    }

    fn advance(&mut self, mut written: usize) {
        self.written += written as u64;
        while let Some(front) = self.full.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.full.pop_front();
        }
        self.tail.advance(written);
    }
}
