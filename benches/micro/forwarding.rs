//! Forwarding unopened: a request's message is read from its body, its envelope
//! is read, and its bytes are framed for the worker as they came; the answer's
//! bytes become a body. The cost must not grow with what is in them.

use std::{convert::Infallible, hint::black_box, os::unix::net::UnixStream};

use bytes::{BufMut as _, Bytes, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion};
use dirtyd::internals::{Envelope, UnaryBody, read_message};
use dirtyd_client::{
    frames::FrameWriter,
    proto::{
        v1::{ExecuteRequest, ListValue, Value, value::Kind},
        worker,
    },
    system::Socket,
};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message as _;
use tokio_stream::Stream;

use crate::runtime;

/// The field `ArbiterFrame.request`.
const REQUEST: u32 = 4;
const LIMIT: usize = 64 << 20;
/// How much of a body a client sends at once, if nobody asks for more.
const DATA: usize = 16 * 1024;

pub fn unopened(criterion: &mut Criterion) {
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("forwarding");
    let ints = (0..10_000).map(|int| value(Kind::IntValue(int))).collect();
    for (name, argument) in [
        ("100 B", bytes(100)),
        ("1 MiB", bytes(1 << 20)),
        ("10,000 ints in a list", value(Kind::ListValue(ListValue { values: ints }))),
    ] {
        let request = ExecuteRequest {
            app: "bench:Bench".to_owned(),
            action: "echo".to_owned(),
            args: vec![argument],
            ..ExecuteRequest::default()
        };
        let message = Bytes::from(request.encode_to_vec());

        let sent = grpc(&message);
        group.bench_function(BenchmarkId::new("body to message", name), |bencher| {
            bencher.iter(|| {
                let read = read_message(StreamBody::new(pieces(&sent)), LIMIT, |_| Ok(()));
                black_box(runtime.block_on(read).expect("one message"))
            });
        });

        group.bench_function(BenchmarkId::new("message to frame", name), |bencher| {
            let forward = |mut writer: FrameWriter| {
                let envelope = Envelope::read(message.clone()).expect("a request");
                let head = worker::Request { call_id: 7, ..worker::Request::default() };
                black_box((&envelope.app, &envelope.action));
                writer.push_payload(REQUEST, &head, envelope.payload);
                writer
            };
            // Each holds a socket until its batch ends.
            bencher.iter_batched(writer, forward, BatchSize::NumIterations(64));
        });

        group.bench_function(BenchmarkId::new("answer to body", name), |bencher| {
            bencher.iter(|| {
                let mut body = UnaryBody::new(message.clone());
                runtime.block_on(async {
                    while let Some(frame) = body.frame().await {
                        black_box(frame.expect("a frame"));
                    }
                });
            });
        });
    }
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn bytes(size: usize) -> Value {
    value(Kind::BytesValue(vec![0x5a; size].into()))
}

/// A message as gRPC puts it into a body: not compressed, its length, its bytes.
fn grpc(message: &Bytes) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.len() as u32);
    body.put_slice(message);
    body.freeze()
}

/// The DATA frames of a body, all there already.
fn pieces(body: &Bytes) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Unpin {
    let body = body.clone();
    let starts = (0..body.len()).step_by(DATA);
    tokio_stream::iter(starts.map(move |start| {
        let end = body.len().min(start + DATA);
        Ok(Frame::data(body.slice(start..end)))
    }))
}

fn writer() -> FrameWriter {
    let (ours, _) = UnixStream::pair().expect("socketpair");
    FrameWriter::new(Socket::new(ours).expect("socket").into_split().1)
}
