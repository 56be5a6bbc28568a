//! The stream of a connection: some bytes of it were read already, and it ends with a
//! farewell if one is due.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::farewell::Farewell;

/// A stream that begins with the bytes that were read of it, and says farewell.
#[derive(Debug)]
pub struct Http1Stream<S> {
    stream: S,
    read: BytesMut,
    farewell: Arc<Farewell>,
    /// What is left of it, once the stream ends.
    left: Option<&'static [u8]>,
}

impl<S> Http1Stream<S> {
    /// Puts the bytes back.
    pub fn new(stream: S, read: BytesMut, farewell: Arc<Farewell>) -> Self {
        Self { stream, read, farewell, left: None }
    }

    /// Puts back what was read of it, and not used.
    pub fn put_back(&mut self, read: &[u8]) {
        self.read = BytesMut::from(read);
    }
}

impl<S: AsyncRead + Unpin> Http1Stream<S> {
    /// Waits for a byte; `false` if there will be none. Nothing is kept meanwhile to read
    /// into.
    pub async fn wakes(&mut self) -> bool {
        if !self.read.is_empty() {
            return true;
        }
        let come = poll_fn(|cx| {
            let mut buffer = [0; 512];
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            Poll::Ready(read.map(|()| BytesMut::from(buffer.filled())))
        });
        self.read = come.await.unwrap_or_default();
        !self.read.is_empty()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Http1Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let part = self.read.len().min(buffer.remaining());
        buffer.put_slice(&self.read[..part]);
        self.read.advance(part);
        if self.read.is_empty() {
            self.read = BytesMut::new(); // without the memory of the old one
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Http1Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, farewell, left, .. } = &mut *self;
        let left = left.get_or_insert_with(|| farewell.due());
        while !left.is_empty() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, left)) {
                Ok(written @ 1..) => *left = &left[written..],
                // Nobody is there to read it.
                Ok(0) | Err(_) => *left = &[],
            }
        }
        Pin::new(stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_read_comes_first() {
        let mut stream =
            Http1Stream::new(&b"world"[..], BytesMut::from(&b"hello, "[..]), Arc::default());
        let mut small = [0; 3];
        stream.read_exact(&mut small).await.expect("bytes");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("the rest");
        assert_eq!((&small, &rest[..]), (b"hel", &b"lo, world"[..]));
    }
}
