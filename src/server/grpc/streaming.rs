//! The answer to ExecuteStream.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::HeaderMap;
use http_body::{Body, Frame};
use tonic::Status;

use super::{frame::put, trailers};

/// The number of bytes of ready chunks that leave as one frame.
const GATHER: usize = 32 * 1024;
/// How long the headers of a stream wait for its first chunk.
const HEADERS_WAIT: Duration = Duration::from_millis(10);

/// Messages as they come, then how the stream ended. What is ready together
/// leaves together; nothing waits for what is not ready.
pub struct StreamingBody<S> {
    chunks: S,
    gathered: BytesMut,
    large: Option<Bytes>,
    end: End,
}

/// How far a stream is from its end.
enum End {
    Open,
    /// These trailers have to be sent.
    Trailers(HeaderMap),
    Sent,
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> StreamingBody<S> {
    /// Answers with encoded messages.
    pub fn new(chunks: S) -> Self {
        let gathered = BytesMut::new();
        Self { chunks, gathered, large: None, end: End::Open }
    }

    /// Waits until there is something to send, but not for long. So the first
    /// chunk leaves together with the headers, and the caller is woken once for
    /// both; a caller whose first chunk takes its time gets the headers before it.
    pub async fn begun(mut self) -> Self {
        let begun = std::future::poll_fn(|cx| self.gather(cx));
        let _ = tokio::time::timeout(HEADERS_WAIT, begun).await;
        self
    }

    /// Gathers what is ready. Pending while there is nothing to send.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while matches!(self.end, End::Open) && self.large.is_none() {
            match self.chunks.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.large = put(&mut self.gathered, chunk),
                Poll::Ready(Some(Err(status))) => self.end = End::Trailers(trailers::of(&status)),
                Poll::Ready(None) => self.end = End::Trailers(trailers::ok()),
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
            if self.gathered.len() >= GATHER {
                break;
            }
        }
        Poll::Ready(())
    }
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Body for StreamingBody<S> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.gathered.is_empty()
            && let Some(large) = self.large.take()
        {
            return Poll::Ready(Some(Ok(Frame::data(large))));
        }
        std::task::ready!(self.gather(cx));
        if !self.gathered.is_empty() {
            let data = self.gathered.split().freeze();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(match std::mem::replace(&mut self.end, End::Sent) {
            End::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            End::Open | End::Sent => None,
        })
    }
}
