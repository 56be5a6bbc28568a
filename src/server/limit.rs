//! The limit on request messages. A gRPC message starts with five bytes, a flag
//! and its length: a body that announces too much is refused there, before any
//! of it is buffered. (tonic's own limit would answer OUT_OF_RANGE.)

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tonic::Status;

const HEAD: usize = 5;

pin_project! {
    /// A request body of one message of at most `limit` bytes.
    pub struct LimitedBody<B> {
        #[pin]
        body: B,
        limit: usize,
        head: [u8; HEAD],
        seen: usize,
    }
}

impl<B> LimitedBody<B> {
    /// Limits the message of a unary request.
    pub fn new(body: B, limit: usize) -> Self {
        Self { body, limit, head: [0; HEAD], seen: 0 }
    }
}

impl<B> Body for LimitedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let frame = match ready!(this.body.poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
            None => return Poll::Ready(None),
        };
        if let Some(data) = frame.data_ref().filter(|_| *this.seen < HEAD) {
            let part = data.len().min(HEAD - *this.seen);
            this.head[*this.seen..*this.seen + part].copy_from_slice(&data[..part]);
            *this.seen += part;
            let [_, length @ ..] = *this.head;
            let length = u32::from_be_bytes(length);
            if *this.seen == HEAD && length as usize > *this.limit {
                let status = super::status::request_too_large(length.into(), *this.limit);
                return Poll::Ready(Some(Err(status)));
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
