//! Answers that have no end of their own: a client that watches events or health
//! would hold up every drain for as long as it likes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tokio::sync::watch;
use tonic::Status;

use super::status;

/// Resolves when the arbiter drains.
type Drain = Pin<Box<dyn Future<Output = ()> + Send>>;

pin_project! {
    /// The body of an answer that a drain ends as soon as it has to wait: what
    /// is there is still sent.
    pub struct UntilDrain {
        #[pin]
        body: tonic::body::Body,
        drain: Drain,
        ended: bool,
    }
}

impl UntilDrain {
    /// Ends the body once `draining` is true.
    pub fn new(body: tonic::body::Body, mut draining: watch::Receiver<bool>) -> Self {
        let drain = Box::pin(async move {
            // The sender ends with the drain.
            let _ = draining.wait_for(|draining| *draining).await;
        });
        Self { body, drain, ended: false }
    }
}

impl Body for UntilDrain {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = this.body.poll_frame(cx) {
            return Poll::Ready(frame);
        }
        match this.drain.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                *this.ended = true;
                let mut trailers = HeaderMap::new();
                let added = status::draining().add_header(&mut trailers);
                Poll::Ready(Some(added.map(|()| Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};

    #[tokio::test]
    async fn a_drain_ends_an_answer_after_what_is_there() {
        let first = futures_util::stream::iter([Ok::<_, Status>(Frame::data("first".into()))]);
        let endless = StreamBody::new(first.chain(futures_util::stream::pending()));
        let (draining, drains) = watch::channel(false);
        let mut body = UntilDrain::new(tonic::body::Body::new(endless), drains);
        draining.send_replace(true);
        let data = body.frame().await.expect("a frame").expect("no error").into_data();
        assert_eq!(data.expect("data"), "first");
        let trailers = body.frame().await.expect("a frame").expect("no error").into_trailers();
        let details = Status::from_header_map(&trailers.expect("trailers")).expect("a status");
        assert_eq!(details.message(), status::draining().message());
        assert!(body.is_end_stream() && body.frame().await.is_none());
    }
}
