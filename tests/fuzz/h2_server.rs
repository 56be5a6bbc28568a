//! A real h2 server that hears all that a client sends at once.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A request as h2 hands it on: its stream, and all of its head.
pub type Request = (u32, http::Method, http::Uri, http::HeaderMap);

/// Returns the requests that h2 takes from `sent`.
pub fn requests(sent: &[u8]) -> Vec<Request> {
    let cx = &mut Context::from_waker(Waker::noop());
    let handshake = pin!(h2::server::handshake(Client { sent: sent.to_vec() }));
    let Poll::Ready(Ok(mut connection)) = handshake.poll(cx) else { return Vec::new() };
    let (mut requests, mut open) = (Vec::new(), Vec::new());
    // Everything is there to be read, so a connection that waits has nothing more.
    while let Poll::Ready(Some(Ok((request, respond)))) = connection.poll_accept(cx) {
        let (head, body) = request.into_parts();
        requests.push((respond.stream_id().into(), head.method, head.uri, head.headers));
        open.push((respond, body)); // to drop them would reset the stream
    }
    requests
}

/// The client's end: what it has sent and h2 has not read; then the stream ends.
struct Client {
    sent: Vec<u8>,
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let now = self.sent.len().min(buf.remaining());
        buf.put_slice(&self.sent[..now]);
        self.sent.drain(..now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
