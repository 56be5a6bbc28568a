//! What a client sends, on its way to h2: frames, HPACK, and the repair of `:authority`.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use dirtyd::internals::AuthorityRepair;
use tokio::io::{AsyncRead, ReadBuf};

use crate::{
    engine::{Target, hash},
    h2_server,
};

#[test]
fn authority() {
    let words: &[&[u8]] = &[
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b":authority",
        b"/run/x.sock",
        b"\x83\x86\x84",                      // :method POST, :scheme http, :path /
        b"\x41\x0b/run/x.sock",               // :authority, into the table
        b"\x01\x0b/run/x.sock",               // :authority, not into the table
        b"\x40\x0a:authority\x0b/run/x.sock", // the name written out
        b"\x41\x88\xb8\x3b\x53\x39\xec\x32\x7d\x7f", // a value in Huffman code
        b"\xbe",                              // the newest entry of the dynamic table
        b"\x7e\x01/",                         // its name
        b"\x00\x00\x03\x01\x05\x00\x00\x00\x05", // HEADERS of 3 bytes on stream 5
        b"\x00\x00\x03\x01\x01\x00\x00\x00\x05", // the same, to be continued
        b"\x00\x00\x03\x09\x04\x00\x00\x00\x05", // CONTINUATION
        b"\x00\x00\x03\x00\x01\x00\x00\x00\x05", // DATA
        b"\x00\x00\x00\x04\x01\x00\x00\x00\x00", // SETTINGS, acknowledged
    ];
    Target { name: "authority", words, check }.run();
}

/// The client's bytes keep their number and come out the same however they are cut; a second repair
/// finds nothing to do; and a server that h2 makes of them takes every request as without the
/// repair. A header block that has no end is refused, however it is cut.
fn check(sent: &[u8]) {
    let Some(repaired) = repaired([sent], sent.len() + 1) else {
        assert!(self::repaired(sent.chunks(7), 9).is_none(), "refused once, refused always");
        return;
    };
    assert_eq!(repaired.len(), sent.len(), "as many bytes leave as came in");
    let mut random = fastrand::Rng::with_seed(hash(sent).into());
    for _ in 0..3 {
        let (longest, room) = (random.usize(1..60), random.usize(1..60));
        let cut = self::repaired(cut(sent, longest, &mut random), room).expect("it ends");
        assert_same(&cut, &repaired, "in pieces");
    }
    let again = self::repaired([&repaired[..]], sent.len() + 1).expect("it ends");
    assert_same(&again, &repaired, "repaired once more");
    if repaired != sent {
        let (before, after) = (h2_server::requests(sent), h2_server::requests(&repaired));
        for request in before {
            assert!(after.contains(&request), "lost by the repair: {request:?}\namong {after:?}");
        }
    }
}

fn assert_same(came: &[u8], expected: &[u8], how: &str) {
    let (came, expected) = (came.escape_ascii(), expected.escape_ascii());
    assert!(came.to_string() == expected.to_string(), "{how}: {came}\ninstead of {expected}");
}

/// Returns what the repair makes of `pieces`, each of which is one read, with a reader that takes
/// `room` bytes at a time; nothing if a header block does not end.
fn repaired<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, room: usize) -> Option<Vec<u8>> {
    let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
    let mut repair = AuthorityRepair::new(Pieces(pieces), BytesMut::new());
    let (mut came, mut space) = (Vec::new(), vec![0; room]);
    loop {
        let mut buf = ReadBuf::new(&mut space);
        let cx = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(read) = Pin::new(&mut repair).poll_read(cx, &mut buf) else {
            panic!("a reader that always has bytes");
        };
        read.ok()?;
        if buf.filled().is_empty() {
            return Some(came);
        }
        came.extend_from_slice(buf.filled());
    }
}

/// Cuts `bytes` into pieces of 1 to `longest` bytes.
fn cut<'a>(mut bytes: &'a [u8], longest: usize, random: &mut fastrand::Rng) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(random.usize(1..=longest).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Each piece is one read; then the stream ends.
struct Pieces<'a>(VecDeque<&'a [u8]>);

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.front_mut() {
            let (now, later) = piece.split_at(piece.len().min(buf.remaining()));
            buf.put_slice(now);
            *piece = later;
            if later.is_empty() {
                self.0.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}
