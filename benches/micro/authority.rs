//! The repair of `:authority` below h2, next to the same bytes read without it:
//! heads that need none, heads that need it, and 1 MiB that only passes.

use std::{
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput};
use dirtyd::internals::AuthorityRepair;
use tokio::io::{AsyncRead, ReadBuf};

/// What h2's reader makes room for.
const ROOM: usize = 16 * 1024;
const HEADS: u32 = 100;
const MIB: usize = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

pub fn repair(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("authority");
    let inputs = [
        ("a legal head", heads(b"localhost"), Throughput::Elements(HEADS.into())),
        ("a repaired head", heads(b"/run/dirtyd/dirtyd.sock"), Throughput::Elements(HEADS.into())),
        ("1 MiB of DATA", data(), Throughput::Bytes(MIB as u64)),
    ];
    let mut room = vec![0; ROOM];
    for (name, bytes, unit) in inputs {
        group.throughput(unit);
        group.bench_function(BenchmarkId::new(name, "read bare"), |bencher| {
            bencher.iter(|| black_box(read(bytes.as_slice(), &mut room)));
        });
        group.bench_function(BenchmarkId::new(name, "read through the repair"), |bencher| {
            bencher.iter(|| {
                black_box(read(AuthorityRepair::new(bytes.as_slice(), BytesMut::new()), &mut room))
            });
        });
    }
}

/// Reads to the end; gives how much there was.
fn read(mut from: impl AsyncRead + Unpin, room: &mut [u8]) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut total = 0;
    loop {
        let mut buffer = ReadBuf::new(room);
        let Poll::Ready(done) = Pin::new(&mut from).poll_read(&mut context, &mut buffer) else {
            unreachable!("all is there already");
        };
        done.expect("memory does not fail");
        match buffer.filled() {
            [] => return total,
            filled => total += black_box(filled).len(),
        }
    }
}

/// A connection with many requests, each with its whole head written out.
fn heads(authority: &[u8]) -> Vec<u8> {
    (0..HEADS).fold(connection(), |bytes, nth| {
        frame(bytes, HEADERS, END_HEADERS | END_STREAM, 2 * nth + 1, &head(authority))
    })
}

/// A connection with one large message.
fn data() -> Vec<u8> {
    let start = frame(connection(), HEADERS, END_HEADERS, 1, &head(b"localhost"));
    let part = vec![0x5a; ROOM];
    (0..MIB / ROOM).fold(start, |bytes, _| frame(bytes, DATA, 0, 1, &part))
}

fn connection() -> Vec<u8> {
    frame(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), SETTINGS, 0, 0, &[])
}

fn frame(mut bytes: Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    bytes.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// What a gRPC client sends, uncompressed: `:method: POST` and `:scheme: http`
/// by their index in HPACK's static table, the rest with names from there (RFC
/// 7541, appendix A) or written out.
fn head(authority: &[u8]) -> Vec<u8> {
    let (path, own_authority, content_type, user_agent) = (4, 1, 31, 58);
    let mut block = vec![0x83, 0x86];
    for (index, value) in [
        (path, &b"/dirty.v1.Arbiter/Execute"[..]),
        (own_authority, authority),
        (content_type, b"application/grpc"),
        (user_agent, b"grpc-python/1.85.1 grpc-c/53.0.0 (linux; chttp2)"),
    ] {
        // Without indexing: an index of 4 bits, which 15 and more continue.
        block.extend(if index < 15 { vec![index] } else { vec![15, index - 15] });
        string(&mut block, value);
    }
    block.push(0);
    string(&mut block, b"te");
    string(&mut block, b"trailers");
    block
}

fn string(block: &mut Vec<u8>, text: &[u8]) {
    block.push(u8::try_from(text.len()).expect("a short string"));
    block.extend(text);
}
