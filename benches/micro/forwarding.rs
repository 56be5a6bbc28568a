//! Forwarding unopened: a request's envelope is read and its bytes are framed
//! for the worker as they came. The cost must not grow with what is in it.

use std::{
    future::{Ready, ready},
    hint::black_box,
    os::unix::net::UnixStream,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion};
use dirtyd::{
    internals::{Envelope, FrameWriter, RawCodec, Socket},
    proto::{
        v1::{ExecuteRequest, ListValue, Value, value::Kind},
        worker,
    },
};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tonic::{Request, Response, Status, server::Grpc};
use tower::Service;

use crate::runtime;

/// The field `ArbiterFrame.request`.
const REQUEST: u32 = 4;

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

        group.bench_function(BenchmarkId::new("envelope to frame", name), |bencher| {
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

        let body = Full::new(grpc(&message));
        group.bench_function(BenchmarkId::new("tonic, there and back", name), |bencher| {
            bencher.iter(|| {
                let request = http::Request::new(body.clone());
                let body = runtime.block_on(async {
                    Grpc::new(RawCodec).unary(Back, request).await.into_body().collect().await
                });
                black_box(body.expect("a body"))
            });
        });
    }
}

/// A service that answers with the request's bytes.
struct Back;

impl Service<Request<Envelope>> for Back {
    type Response = Response<Bytes>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Envelope>) -> Self::Future {
        ready(Ok(Response::new(request.into_inner().payload)))
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

fn writer() -> FrameWriter {
    let (ours, _) = UnixStream::pair().expect("socketpair");
    FrameWriter::new(Socket::new(ours).expect("socket").into_split().1)
}
