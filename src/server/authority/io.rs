//! The stream: reads, has the bytes walked, and hands on those that are settled.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Frames, Walked};

/// The number of bytes that are read at a time while the end of a value is awaited, and that of a
/// header block in several frames.
const READ_ON: usize = 1024;
const READ_BLOCK: usize = 16 * 1024;

/// The server's side of a connection whose client may name a path as `:authority`.
///
/// Reads are repaired (see the module); writes pass straight through. Normally nothing is copied:
/// bytes are read into the reader's own buffer and repaired there. The two buffers hold something
/// only at the beginning, and after a read that ended within a value.
#[derive(Debug)]
pub struct AuthorityRepair<IO> {
    io: IO,
    frames: Frames,
    /// Repaired bytes that did not go out with the read that brought them.
    ready: BytesMut,
    /// What is unfinished, from its first byte to the last byte read.
    held: BytesMut,
}

impl<IO> AuthorityRepair<IO> {
    /// Wraps a connection whose first bytes, `read`, have been read already; they
    /// are read again, repaired.
    pub fn new(io: IO, mut read: BytesMut) -> Self {
        let mut frames = Frames::default();
        // If a block in it is none, the next walk says so again.
        let settled = frames.walk(&mut read, 0).unwrap_or_default();
        let held = read.split_off(settled);
        Self { io, frames, ready: read, held }
    }
}

impl<IO> AuthorityRepair<IO> {
    /// What was read since the last time that this was asked.
    pub fn walked(&mut self) -> Walked {
        self.frames.walked()
    }

    /// The memory that is kept for a header block without its end, in bytes.
    pub fn kept(&self) -> usize {
        self.held.capacity()
    }
}

impl<IO: AsyncRead + Unpin> AuthorityRepair<IO> {
    /// Reads into the reader's buffer; what is unfinished is moved from there to `held`.
    fn poll_read_direct(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let fresh = &mut buf.filled_mut()[start..];
        let read = fresh.len();
        let settled = self.frames.walk(fresh, 0).map_err(io::Error::other)?;
        self.held.extend_from_slice(&fresh[settled..]);
        buf.set_filled(start + settled);
        Poll::Ready(Ok(read))
    }

    /// Reads on behind what is unfinished, until it has its end or has become too long to wait
    /// for.
    fn poll_read_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let walked = self.held.len();
        let room = if self.frames.keeps_block() { READ_BLOCK } else { READ_ON };
        self.held.resize(walked + room, 0);
        let mut chunk = ReadBuf::new(&mut self.held[walked..]);
        let polled = Pin::new(&mut self.io).poll_read(cx, &mut chunk);
        let read = chunk.filled().len();
        self.held.truncate(walked + read);
        ready!(polled)?;
        let settled = if read == 0 {
            // The client is gone in the middle: what came of it goes out as it came.
            self.frames.give_up();
            walked
        } else {
            self.frames.walk(&mut self.held, walked).map_err(io::Error::other)?
        };
        self.ready = self.held.split_to(settled);
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for AuthorityRepair<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                let part = this.ready.len().min(buf.remaining());
                buf.put_slice(&this.ready[..part]);
                this.ready.advance(part);
                if this.ready.is_empty() {
                    // A connection at rest should hold no buffer.
                    this.ready = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if !this.held.is_empty() {
                ready!(this.poll_read_on(cx))?;
                continue;
            }
            let before = buf.filled().len();
            let read = ready!(this.poll_read_direct(cx, buf))?;
            // An empty read means the end of the stream, so it must not stand for bytes that were
            // all kept back.
            if read == 0 || buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for AuthorityRepair<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
