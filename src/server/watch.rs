//! Answers that have no end of their own: who watches events or health would
//! hold his connection open, and with it every drain, for as long as it may take.

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
pub type Drains = Pin<Box<dyn Future<Output = ()> + Send>>;

/// When the arbiter drains.
pub fn drains(mut draining: watch::Receiver<bool>) -> Drains {
    Box::pin(async move {
        // The sender ends with the drain.
        let _ = draining.wait_for(|drains| *drains).await;
    })
}

pin_project! {
    /// The body of an answer that a drain ends, as soon as it has to wait: what
    /// is there is still given.
    pub struct Watch {
        #[pin]
        body: tonic::body::Body,
        drains: Drains,
        ended: bool,
    }
}

impl Watch {
    /// Ends the body when `drains` resolves.
    pub fn new(body: tonic::body::Body, drains: Drains) -> Self {
        Self { body, drains, ended: false }
    }
}

impl Body for Watch {
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
        match this.drains.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                *this.ended = true;
                let mut trailers = HeaderMap::new();
                let told = status::draining().add_header(&mut trailers);
                Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}
