//! What a worker sends on its socket, and what the arbiter's writer makes of frames.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};

use dirtyd_client::{
    frames::{FrameReader, FrameWriter},
    proto::worker::{WorkerFrame, worker_frame::Kind},
    system::Socket,
};
use prost::Message as _;

use crate::engine::{Target, hash};

/// The largest message that the reader takes, in bytes; a frame may hold `OVERHEAD` more.
const LIMIT: usize = 1024;
const OVERHEAD: usize = 1024 * 1024;
/// The fields `WorkerFrame.response` and `WorkerFrame.chunk`.
const RESPONSE: u32 = 5;
const CHUNK: u32 = 6;

#[test]
fn frames() {
    let words: &[&[u8]] = &[
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x04\x4a\x02\x08\x07",            // Pong
        b"\x00\x00\x00\x09\x2a\x07\x08\x07\x7a\x03abc", // Response
        b"\x00\x00\x00\x09\x32\x07\x08\x07\x7a\x03abc", // Chunk
        b"\x00\x00\x00\x04\x3a\x02\x08\x07",            // End
        b"\x00\x10\x04\x00",
        b"\x00\x10\x04\x01",
        b"\x7f\xff\xff\xff",
    ];
    Target { name: "frames", words, check }.run();
}

/// The reader finds the frames that protobuf finds in the same bytes, then reports how they end;
/// and the writer's bytes hold the same frames again.
fn check(sent: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("runtime").block_on(async {
        let (expected, ending) = split(sent);
        let (read, end) = read(sent).await;
        assert_eq!(read, expected);
        assert!(end.contains(ending), "ended with {end:?} instead of {ending:?}");
        let (again, end) = self::read(&written(&expected)).await;
        assert_eq!(again, expected);
        assert_eq!(end, "nothing more");
    });
}

/// Returns the frames in `sent`, and a part of what is said of the end.
fn split(mut sent: &[u8]) -> (Vec<WorkerFrame>, &'static str) {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = sent.split_first_chunk() {
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > LIMIT + OVERHEAD {
            return (frames, "over the limit");
        }
        let Some((frame, rest)) = rest.split_at_checked(length) else { break };
        match WorkerFrame::decode(frame) {
            Ok(frame) => frames.push(frame),
            Err(_) => return (frames, "malformed"),
        }
        sent = rest;
    }
    (frames, if sent.is_empty() { "nothing more" } else { "in the middle of a frame" })
}

/// Returns the frames that the arbiter's reader takes from `sent`, which comes in pieces, and what
/// it says of the end.
async fn read(sent: &[u8]) -> (Vec<WorkerFrame>, String) {
    let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
    let socket = Socket::new(ours).expect("reactor");
    let reading = async {
        let mut frames = Vec::new();
        // Both directions end with this block, so that the worker does not write to nobody.
        let (socket, _writer) = socket.into_split();
        let mut reader = FrameReader::<WorkerFrame>::new(socket, LIMIT);
        loop {
            match reader.next().await {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, "nothing more".to_owned()),
                Err(error) => return (frames, error.to_string()),
            }
        }
    };
    let sending = async {
        let mut random = fastrand::Rng::with_seed(hash(sent).into());
        for piece in sent.chunks(random.usize(1..200)) {
            if theirs.write_all(piece).is_err() {
                break; // the reader has found a fault and is gone
            }
            tokio::task::yield_now().await; // the reader's turn
        }
        drop(theirs);
    };
    tokio::join!(reading, sending).0
}

/// Returns the bytes that the writer makes of `frames`.
fn written(frames: &[WorkerFrame]) -> Vec<u8> {
    let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
    let (reader, socket) = Socket::new(ours).expect("reactor").into_split();
    let mut writer = FrameWriter::new(socket);
    let mut end = 0;
    for frame in frames {
        end = match frame.kind.clone() {
            Some(Kind::Response(mut head)) => {
                let payload = std::mem::take(&mut head.payload);
                writer.push_payload(RESPONSE, &head, payload)
            }
            Some(Kind::Chunk(mut head)) => {
                let payload = std::mem::take(&mut head.payload);
                writer.push_payload(CHUNK, &head, payload)
            }
            _ => {
                writer.push(frame);
                writer.queued()
            }
        };
    }
    // The socket takes all of it, because an input is much smaller than its buffer.
    writer.write_now().expect("written");
    assert_eq!((writer.written(), writer.queued()), (end, end));
    drop((writer, reader));
    let mut bytes = Vec::new();
    theirs.read_to_end(&mut bytes).expect("read");
    bytes
}
