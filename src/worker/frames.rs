//! Frames on a worker's socket: four bytes of length, big-endian, then one
//! encoded message. See `proto/dirty/worker/v1/worker.proto`.
//!
//! Payloads are never copied when they are large and never opened: reading
//! gives them as slices of the read buffer, writing hands them to writev.

use std::{collections::VecDeque, io, io::IoSlice};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use tokio::io::AsyncReadExt as _;

use crate::{
    process::{SocketReader, SocketWriter},
    proto::worker::{ArbiterFrame, Request, WorkerFrame, arbiter_frame},
};

/// The bytes of a frame's length.
const PREFIX: usize = 4;
/// What a frame may hold beyond the largest message.
const OVERHEAD: usize = 1024 * 1024;
/// Payloads up to this size are copied into the frame's head: cheaper than a
/// further element of writev.
const INLINE: usize = 4096;
/// The fields of `ArbiterFrame` and `Request` that are encoded by hand.
const REQUEST_TAG: u32 = 4;
const PAYLOAD_TAG: u32 = 15;
/// How many buffers one writev takes.
const MAX_SLICES: usize = 16;

/// A fault in what a worker sent.
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
    /// A frame is not an encoded `WorkerFrame`.
    #[error("it sent a malformed frame: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The socket was closed inside a frame.
    #[error("it closed its socket in the middle of a frame")]
    Truncated,
}

/// Reads frames.
#[derive(Debug)]
pub struct FrameReader {
    socket: SocketReader,
    buffer: BytesMut,
    limit: usize,
}

impl FrameReader {
    /// A reader for messages up to `max_message_size` bytes.
    pub fn new(socket: SocketReader, max_message_size: usize) -> Self {
        Self { socket, buffer: BytesMut::new(), limit: max_message_size + OVERHEAD }
    }

    /// The next frame; `None` at a clean end. Cancel safe.
    ///
    /// # Errors
    /// The worker broke the protocol or the socket failed.
    pub async fn next(&mut self) -> Result<Option<WorkerFrame>, FrameError> {
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
    fn buffered(&mut self) -> Result<Option<WorkerFrame>, FrameError> {
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
        Ok(Some(WorkerFrame::decode(frame)?))
    }
}

/// Writes frames; keeps what the socket does not take at once.
///
/// Bounded by its use: one request per slot of the worker, and a few small
/// frames per running call.
#[derive(Debug)]
pub struct FrameWriter {
    socket: SocketWriter,
    /// Complete buffers, oldest first.
    full: VecDeque<Bytes>,
    /// Small frames that still grow.
    tail: BytesMut,
    queued: u64,
    written: u64,
}

impl FrameWriter {
    /// A writer with nothing to write.
    pub fn new(socket: SocketWriter) -> Self {
        let (full, tail) = (VecDeque::new(), BytesMut::new());
        Self { socket, full, tail, queued: 0, written: 0 }
    }

    /// Queues a small frame.
    pub fn push(&mut self, kind: arbiter_frame::Kind) {
        let frame = ArbiterFrame { kind: Some(kind) };
        let length = frame.encoded_len();
        self.tail.reserve(PREFIX + length);
        self.tail.put_u32(length as u32);
        frame.encode(&mut self.tail).expect("BytesMut grows");
        self.queued += (PREFIX + length) as u64;
    }

    /// Queues a request, whose own `payload` is empty, with the given payload.
    /// Gives the position in the byte stream at which it ends; once
    /// [`written`](Self::written) reaches it, the worker may have started.
    pub fn push_request(&mut self, head: &Request, payload: Bytes) -> u64 {
        let payload_len = key_len(PAYLOAD_TAG) + encoded_len_varint(payload.len() as u64);
        let request_len = head.encoded_len() + payload_len + payload.len();
        let frame_len = key_len(REQUEST_TAG) + encoded_len_varint(request_len as u64) + request_len;
        self.tail.reserve(PREFIX + frame_len - payload.len() + payload.len().min(INLINE));
        self.tail.put_u32(frame_len as u32);
        encode_key(REQUEST_TAG, WireType::LengthDelimited, &mut self.tail);
        encode_varint(request_len as u64, &mut self.tail);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::worker::{Metadata, Pong, Response, worker_frame};
    use proptest::prelude::*;
    use crate::process::Socket;
    use tokio::{io::AsyncWriteExt as _, net::UnixStream};

    fn ours(socket: UnixStream) -> (SocketReader, SocketWriter) {
        Socket::new(socket.into_std().expect("std")).expect("socket").into_split()
    }


    fn request(id: u64) -> Request {
        let metadata = vec![Metadata { key: "k".into(), value: Bytes::from_static(b"v") }];
        Request {
            call_id: id,
            stream: true,
            request_id: "r".into(),
            metadata,
            ..Request::default()
        }
    }

    #[tokio::test]
    async fn requests_arrive_as_the_protobuf_that_the_contract_names() {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        let (_read, write) = self::ours(ours);
        let mut writer = FrameWriter::new(write);
        let sizes = [0, 1, INLINE, INLINE + 1, 300_000, 5];
        for (id, size) in sizes.iter().enumerate() {
            writer.push_request(&request(id as u64), Bytes::from(vec![id as u8; *size]));
        }
        let reading = tokio::spawn(async move {
            let mut theirs = theirs;
            let mut requests = Vec::new();
            for _ in sizes {
                let length = theirs.read_u32().await.expect("prefix") as usize;
                let mut frame = vec![0; length];
                theirs.read_exact(&mut frame).await.expect("frame");
                requests.push(ArbiterFrame::decode(frame.as_slice()).expect("valid"));
            }
            requests
        });
        while writer.is_pending() {
            writer.flush().await.expect("write");
        }
        assert_eq!(writer.written(), writer.queued);
        for (id, frame) in reading.await.expect("reader").into_iter().enumerate() {
            let payload = Bytes::from(vec![id as u8; sizes[id]]);
            let expected = Request { payload, ..request(id as u64) };
            assert_eq!(frame.kind, Some(arbiter_frame::Kind::Request(expected)));
        }
    }

    async fn read_all(bytes: Vec<u8>, cut: usize) -> Vec<Result<Option<WorkerFrame>, String>> {
        let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
        let (read, _write) = self::ours(ours);
        let mut reader = FrameReader::new(read, 1024);
        let writing = tokio::spawn(async move {
            let cut = cut.min(bytes.len());
            theirs.write_all(&bytes[..cut]).await.expect("write");
            tokio::task::yield_now().await;
            theirs.write_all(&bytes[cut..]).await.expect("write");
        });
        let mut frames = Vec::new();
        loop {
            let frame = reader.next().await.map_err(|error| error.to_string());
            let last = !matches!(frame, Ok(Some(_)));
            frames.push(frame);
            if last {
                drop(reader);
                writing.await.expect("writer");
                return frames;
            }
        }
    }

    fn framed(kind: worker_frame::Kind) -> Vec<u8> {
        let body = WorkerFrame { kind: Some(kind) }.encode_to_vec();
        let mut frame = (body.len() as u32).to_be_bytes().to_vec();
        frame.extend(body);
        frame
    }

    #[tokio::test]
    async fn frames_may_be_cut_anywhere() {
        let response = Response { call_id: 7, payload: Bytes::from_static(b"payload") };
        let mut bytes = framed(worker_frame::Kind::Response(response.clone()));
        bytes.extend(framed(worker_frame::Kind::Pong(Pong { nonce: 3 })));
        for cut in 0..=bytes.len() {
            let frames = read_all(bytes.clone(), cut).await;
            assert_eq!(frames.len(), 3, "cut at {cut}");
            let first = frames[0].as_ref().expect("frame").as_ref().expect("frame");
            assert_eq!(first.kind, Some(worker_frame::Kind::Response(response.clone())));
            assert_eq!(frames[2], Ok(None));
        }
    }

    #[tokio::test]
    async fn half_a_frame_and_an_oversize_one_are_errors() {
        let half = &framed(worker_frame::Kind::Pong(Pong { nonce: 3 }))[..5];
        assert!(read_all(half.to_vec(), 2).await[0].as_ref().is_err_and(|e| e.contains("middle")));
        let huge = u32::MAX.to_be_bytes().to_vec();
        assert!(read_all(huge, 2).await[0].as_ref().is_err_and(|e| e.contains("limit")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("runtime").block_on(read_all(bytes, 7));
        }
    }
}
