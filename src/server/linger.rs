//! A stream that ends as its peer can bear: first this side's direction, then,
//! once the peer has ended its own, the whole.
//!
//! A close at once would cost a peer what it has not read yet. It may still
//! write: the rest of a request, or, in HTTP/2, an update of a window for each
//! part of an answer. On a closed socket that write fails, and most clients then
//! drop what they have received.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// The number of bytes that are read, and dropped, at a time.
const DROPPED: usize = 4096;
/// How many reads there are before others have their turn.
const IN_A_TURN: u32 = 4;

/// A stream whose `shutdown` resolves when the peer has ended its direction,
/// too, or the time for that is up.
#[derive(Debug)]
pub struct LingeringClose<S> {
    stream: S,
    time: Duration,
    /// There once this side's direction has ended.
    end: Option<Pin<Box<Sleep>>>,
}

impl<S> LingeringClose<S> {
    /// Lets the peer have `time` to end its direction.
    pub fn new(stream: S, time: Duration) -> Self {
        Self { stream, time, end: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringClose<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringClose<S> {
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
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.end.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let end = this.end.get_or_insert_with(|| Box::pin(sleep(this.time)));
        for reads in 0.. {
            if end.as_mut().poll(cx).is_ready() {
                break;
            }
            if reads == IN_A_TURN {
                // Others have their turn, however much the peer writes.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut dropped = [0; DROPPED];
            let mut dropped = ReadBuf::new(&mut dropped);
            // A peer that broke off has ended, too.
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut dropped));
            if read.is_err() || dropped.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIME: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_still_writes_reads_everything() {
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut stream = LingeringClose::new(stream, TIME);
        let ask = async {
            let mut first = [0; 3];
            peer.read_exact(&mut first).await.expect("the first bytes");
            peer.write_all(&[b'x'; 10_000]).await.expect("somebody still reads");
            let mut rest = String::new();
            peer.read_to_string(&mut rest).await.expect("the rest");
            drop(peer);
            rest
        };
        let end = async {
            stream.write_all(b"an answer").await.expect("room");
            let start = tokio::time::Instant::now();
            stream.shutdown().await.expect("an end");
            drop(stream);
            start.elapsed()
        };
        let (rest, took) = tokio::join!(ask, end);
        assert_eq!(rest, "answer");
        assert!(took < TIME, "the end of the peer ends the wait: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stays_or_floods_is_not_waited_for() {
        for floods in [false, true] {
            let (mut peer, stream) = tokio::io::duplex(64);
            let flood = tokio::spawn(async move {
                while !floods || peer.write_all(&[b'x'; 64]).await.is_ok() {
                    tokio::time::sleep(TIME / 100).await;
                }
            });
            let start = tokio::time::Instant::now();
            LingeringClose::new(stream, TIME).shutdown().await.expect("an end");
            assert!(start.elapsed() <= TIME * 2, "{:?}", start.elapsed());
            flood.abort();
        }
    }
}
