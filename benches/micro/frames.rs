//! The frames between the arbiter and a worker: encoding a request, decoding a
//! response, and a response through a socket, which is both with the kernel
//! between them.

use std::{hint::black_box, io::Write as _, os::unix::net::UnixStream, thread};

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use dirtyd_client::{
    frames::{FrameReader, FrameWriter},
    proto::worker::{Request, Response, WorkerFrame, worker_frame},
    system::Socket,
};
use prost::Message as _;

use crate::runtime;

const SIZES: [(&str, usize); 2] = [("100 B", 100), ("1 MiB", 1 << 20)];
const LIMIT: usize = 64 << 20;
/// The feeder writes at least so much at once, so that the reader never waits for it.
const FEED: usize = 64 << 10;
/// The fields `ArbiterFrame.request` and `WorkerFrame.response`.
const REQUEST: u32 = 4;
const RESPONSE: u32 = 5;

pub fn codec(criterion: &mut Criterion) {
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut group = criterion.benchmark_group("frames");
    for (name, size) in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let payload = Bytes::from(vec![0x5a; size]);

        let head = Request { call_id: 7, request_id: "7".into(), ..Request::default() };
        group.bench_function(BenchmarkId::new("encode", name), |bencher| {
            let fresh = || FrameWriter::new(pair().0.into_split().1);
            let encode = |mut writer: FrameWriter| {
                black_box(writer.push_payload(REQUEST, &head, payload.clone()));
                writer
            };
            // Each holds a socket until its batch ends.
            bencher.iter_batched(fresh, encode, BatchSize::NumIterations(64));
        });

        group.bench_function(BenchmarkId::new("decode", name), |bencher| {
            let (ours, mut theirs) = pair();
            let feeding = thread::spawn({
                let frame = framed(&payload);
                let frames = frame.repeat(FEED.div_ceil(frame.len()));
                move || while theirs.write_all(&frames).is_ok() {}
            });
            let mut reader = FrameReader::<WorkerFrame>::new(ours.into_split().0, LIMIT);
            bencher.iter(|| black_box(runtime.block_on(reader.next()).expect("a frame")));
            drop(reader);
            feeding.join().expect("it ends with the socket");
        });

        group.bench_function(BenchmarkId::new("through a socket", name), |bencher| {
            let (ours, theirs) = pair();
            let theirs = Socket::new(theirs).expect("socket");
            let mut writer = FrameWriter::new(ours.into_split().1);
            let mut reader = FrameReader::<WorkerFrame>::new(theirs.into_split().0, LIMIT);
            let head = Response { call_id: 7, payload: Bytes::new() };
            bencher.iter(|| {
                writer.push_payload(RESPONSE, &head, payload.clone());
                runtime.block_on(async {
                    let write = async {
                        writer.write_now().expect("write");
                        while writer.is_pending() {
                            writer.flush().await.expect("write");
                        }
                    };
                    let ((), frame) = tokio::join!(write, reader.next());
                    black_box(frame.expect("a frame"))
                })
            });
        });
    }
}

/// A socketpair: our side for the reactor, theirs as it is.
fn pair() -> (Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().expect("socketpair");
    (Socket::new(ours).expect("socket"), theirs)
}

/// A response as a worker sends it.
fn framed(payload: &Bytes) -> Vec<u8> {
    let response = Response { call_id: 7, payload: payload.clone() };
    let frame = WorkerFrame { kind: Some(worker_frame::Kind::Response(response)) }.encode_to_vec();
    [&(frame.len() as u32).to_be_bytes()[..], &frame].concat()
}
