//! A connection's first bytes choose its protocol.
//!
//! They are read here and handed on with the protocol, so that the one who
//! serves it misses none. At most the 24 bytes of HTTP/2's preface decide; what
//! came with them is kept. The caller bounds the time.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4).
const HTTP2: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest method of HTTP/1 that is recognised, in bytes.
const MAX_METHOD: usize = 20;
/// The number of bytes that are read at most. Most clients send their settings
/// with the preface, and this takes both in one read.
const READ: usize = 512;

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 with prior knowledge.
    Http2,
    /// A request of HTTP/1.
    Http1,
    /// Nothing that is known here.
    Unknown,
}

/// The beginning of a connection.
#[derive(Debug)]
pub struct Opening {
    /// What the bytes belong to.
    pub protocol: Protocol,
    /// All bytes that were read.
    pub bytes: BytesMut,
}

/// Reads until the protocol is certain.
///
/// # Errors
/// The connection broke, or ended before its protocol was certain.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Opening> {
    let mut bytes = BytesMut::with_capacity(READ);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(protocol) = protocol_of(&bytes) {
            return Ok(Opening { protocol, bytes });
        }
    }
}

/// The protocol that begins like this; `None` if more bytes have to decide.
fn protocol_of(bytes: &[u8]) -> Option<Protocol> {
    if bytes.starts_with(HTTP2) {
        return Some(Protocol::Http2);
    }
    if HTTP2.starts_with(bytes) {
        return None;
    }
    let in_method = |byte: &u8| byte.is_ascii_alphabetic() || b"-_".contains(byte);
    match bytes.iter().position(|byte| !in_method(byte)) {
        // No method of HTTP/1 is called PRI: it is a broken preface.
        Some(end @ 1..=MAX_METHOD) if bytes[end] == b' ' && &bytes[..end] != b"PRI" => {
            Some(Protocol::Http1)
        }
        None if bytes.len() <= MAX_METHOD => None,
        _ => Some(Protocol::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    const CASES: [(&[u8], Protocol); 9] = [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04", Protocol::Http2),
        (b"GET / HTTP/1.1\r\n", Protocol::Http1),
        (b"PROPFIND /", Protocol::Http1),
        (b"post /v1", Protocol::Http1),
        (b"PRI * HTTP/2.0\r\n\r\nXX", Protocol::Unknown),
        (b"\x16\x03\x01", Protocol::Unknown),
        (b" GET /", Protocol::Unknown),
        (b"QUIT\r\n", Protocol::Unknown),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", Protocol::Unknown),
    ];

    #[tokio::test]
    async fn the_protocol_is_told_and_no_byte_is_lost() {
        for (sent, protocol) in CASES {
            let mut stream = sent;
            let opening = read(&mut stream).await.expect("certain");
            assert_eq!((opening.protocol, &opening.bytes[..]), (protocol, sent));
        }
    }

    #[test]
    fn the_protocol_does_not_depend_on_how_the_bytes_are_cut() {
        for (sent, protocol) in CASES {
            let first = (1..=sent.len()).find_map(|end| protocol_of(&sent[..end]));
            assert_eq!(first, Some(protocol), "{}", sent.escape_ascii());
        }
    }

    #[tokio::test]
    async fn an_end_before_the_protocol_is_certain_is_an_error() {
        for sent in [&b""[..], b"PRI * HTTP", b"GE"] {
            let error = read(&mut { sent }).await.expect_err("ended");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[tokio::test]
    async fn what_comes_behind_is_left_in_the_stream() {
        let (mut client, mut server) = tokio::io::duplex(4096);
        let sent = [&HTTP2[..], &[7; 2 * READ]].concat();
        client.write_all(&sent).await.expect("write");
        drop(client);
        let mut bytes = read(&mut server).await.expect("certain").bytes.to_vec();
        server.read_to_end(&mut bytes).await.expect("the rest");
        assert_eq!(bytes, sent);
    }

    proptest! {
        #[test]
        fn the_length_of_the_preface_decides(
            bytes in proptest::collection::vec(any::<u8>(), HTTP2.len()..40),
        ) {
            prop_assert!(protocol_of(&bytes).is_some());
        }
    }
}
