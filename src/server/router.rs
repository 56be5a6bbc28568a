//! Which service answers a request. The arbiter's own two methods are matched
//! first and by hand, because every call passes here.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::sync::watch;
use tonic::{Status, service::Routes};
use tower::ServiceExt as _;

use super::{
    execute::ArbiterService,
    message::{Message, Messages},
    stream::Chunked,
    watch::{Watch, drains},
};

/// All services of the socket.
pub struct Router {
    arbiter: ArbiterService,
    others: Routes,
    draining: watch::Receiver<bool>,
}

impl Router {
    /// A router to the arbiter and to the `others`: admin, health, reflection.
    /// `draining` ends what the others would go on with for ever.
    pub fn new(arbiter: ArbiterService, others: Routes, draining: watch::Receiver<bool>) -> Self {
        Self { arbiter, others, draining }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// Never: an error is an answer, too.
    pub async fn serve(&self, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
        let answer = match request.uri().path() {
            "/dirty.v1.Arbiter/Execute" => {
                let message = self.arbiter.execute(request).await;
                message.map(|message| Answer::Message { message })
            }
            "/dirty.v1.Arbiter/ExecuteStream" => {
                let messages = self.arbiter.execute_stream(request).await;
                messages.map(|messages| Answer::Messages { messages })
            }
            _ => {
                let response = self.others.clone().oneshot(request).await;
                let drains = drains(self.draining.clone());
                let watch = |body| Answer::Other { body: Watch::new(body, drains) };
                return response.map(|response| response.map(watch));
            }
        };
        Ok(match answer {
            Ok(body) => {
                let mut response = Response::new(body);
                let grpc = HeaderValue::from_static("application/grpc");
                response.headers_mut().insert(CONTENT_TYPE, grpc);
                response
            }
            Err(status) => refusal(status),
        })
    }
}

/// An answer that is an error from the start.
pub fn refusal(status: Status) -> Response<Answer> {
    status.into_http::<tonic::body::Body>().map(|body| Answer::Error { body })
}

pin_project! {
    /// The body of an answer.
    #[project = Projected]
    pub enum Answer {
        /// Of Execute.
        Message { #[pin] message: Message },
        /// Of ExecuteStream.
        Messages { #[pin] messages: Messages<Chunked> },
        /// Of another service.
        Other { #[pin] body: Watch },
        /// An error.
        Error { #[pin] body: tonic::body::Body },
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.project() {
            Projected::Message { message } => message.poll_frame(cx),
            Projected::Messages { messages } => messages.poll_frame(cx),
            Projected::Other { body } => body.poll_frame(cx),
            Projected::Error { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Message { message } => message.is_end_stream(),
            Self::Messages { messages } => messages.is_end_stream(),
            Self::Other { body } => body.is_end_stream(),
            Self::Error { body } => body.is_end_stream(),
        }
    }
}
