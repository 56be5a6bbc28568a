//! A connection comes out the same however its bytes are cut into reads, on either side of the
//! repair.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncRead, ReadBuf};

use super::super::AuthorityRepair;
use super::client::*;

/// What comes out when everything arrives at once.
pub fn whole(sent: &[u8]) -> Vec<u8> {
    through([sent], 1 << 20)
}

/// What comes out when each piece is a read of its own, and the reader has room for `room` bytes at
/// a time.
pub fn through<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, room: usize) -> Vec<u8> {
    try_through(pieces, room).expect("no header block without end")
}

/// The same; `None` if a header block does not end.
pub fn try_through<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, room: usize) -> Option<Vec<u8>> {
    let mut repair = AuthorityRepair::new(Pieces(pieces.into_iter().collect()), BytesMut::new());
    let (mut came, mut space) = (Vec::new(), vec![0; room]);
    loop {
        let mut buf = ReadBuf::new(&mut space);
        let read =
            Pin::new(&mut repair).poll_read(&mut Context::from_waker(Waker::noop()), &mut buf);
        let Poll::Ready(read) = read else { panic!("a reader that always has bytes") };
        read.ok()?;
        if buf.filled().is_empty() {
            return Some(came);
        }
        came.extend_from_slice(buf.filled());
    }
}

pub fn assert_same_in_any_pieces(sent: &[u8]) {
    let expected = whole(sent);
    assert_eq!(expected.len(), sent.len());
    assert_ne!(expected, sent, "there is something to repair");
    for cut in 0..sent.len() {
        let pieces = [&sent[..cut], &sent[cut..]].into_iter().filter(|piece| !piece.is_empty());
        assert_eq!(through(pieces, 1 << 20), expected, "cut at {cut}");
    }
    for size in 1..30 {
        assert_eq!(through(sent.chunks(size), 1 << 20), expected, "in reads of {size}");
        assert_eq!(through([sent], size), expected, "in a buffer of {size}");
        assert_eq!(through(sent.chunks(size), 3), expected, "in reads of {size}, in a buffer of 3");
    }
}

/// A connection with all that the walkers know: forms of names and values, references,
/// CONTINUATION, padding, priority.
pub fn transcript() -> Connection {
    let path = "/run/dirtyd/josé/x.sock";
    let block =
        [&REST_OF_REQUEST[..], &Form::WithoutIndexing.named(&coded(":authority"), &raw(path))]
            .concat();
    Connection::new()
        .request(
            &[
                Form::Indexing.named(&raw(":authority"), &coded(path)),
                Form::Indexing.named(&raw("k"), &raw("v".repeat(300))),
            ]
            .concat(),
        )
        .frame(0, END_STREAM, b"\x41\x01/ body")
        .request_in_pieces(&Form::NeverIndexed.indexed(63, &coded(path)), 7)
        .request_in_pieces(&Form::Indexing.indexed(1, &raw(path)), 2)
        .frame(
            HEADERS,
            END_HEADERS | PADDED | PRIORITY,
            &[&[3, 0, 0, 0, 0, 9][..], &block, b"/%/"].concat(),
        )
        .frame(HEADERS, END_STREAM, &[])
        .frame(CONTINUATION, 0, &[])
        .frame(CONTINUATION, END_HEADERS, &block)
        .request(
            &[&[0x3f, 0xe1, 0x1f][..], &Form::Indexing.indexed(64, &raw(path)), &[0x80 | 62]]
                .concat(),
        )
}

#[test]
fn a_connection_may_be_cut_anywhere() {
    assert_same_in_any_pieces(&transcript().bytes);
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
