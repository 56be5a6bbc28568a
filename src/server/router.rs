//! Which service answers a request. The arbiter's own two methods are matched
//! first and by hand, because every call passes here.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
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
use crate::call::Peer;

/// All services of the socket.
pub struct Router {
    arbiter: ArbiterService,
    others: Routes,
    owed: Owed,
    draining: watch::Receiver<bool>,
}

/// Held by every call until its answer has left for the socket.
type Owed = Arc<()>;

/// Data up to this size in bytes is not followed to the socket.
const SMALL: usize = 4096;

impl Router {
    /// A router to the arbiter and to the `others`: admin, health, reflection.
    /// `draining` ends what the others would go on with for ever.
    pub fn new(arbiter: ArbiterService, others: Routes, draining: watch::Receiver<bool>) -> Self {
        Self { arbiter, others, owed: Owed::default(), draining }
    }

    /// Whether some call is still owed an answer, or a part of it. What others
    /// are owed does not count: a drain ends it.
    pub fn owes(&self) -> bool {
        Arc::strong_count(&self.owed) > 1
    }

    /// Answers a request of a peer.
    ///
    /// # Errors
    /// Never: an error is an answer, too.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Result<Response<Answer>, Infallible> {
        let answer = match request.uri().path() {
            "/dirty.v1.Arbiter/Execute" => {
                let owed = Arc::clone(&self.owed);
                let message = self.arbiter.execute(request, peer).await;
                message.map(|message| Answer::Message { message, owed })
            }
            "/dirty.v1.Arbiter/ExecuteStream" => {
                let owed = Arc::clone(&self.owed);
                let messages = self.arbiter.execute_stream(request, peer).await;
                messages.map(|messages| Answer::Messages { messages, owed })
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

/// Data of an answer that h2 keeps for a slow reader, when the body is gone.
struct Unsent {
    data: Bytes,
    _owed: Owed,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

fn until_sent(frame: Frame<Bytes>, owed: &Owed) -> Frame<Bytes> {
    frame.map_data(|data| match data.len() > SMALL {
        true => Bytes::from_owner(Unsent { data, _owed: Arc::clone(owed) }),
        false => data,
    })
}

pin_project! {
    /// The body of an answer.
    #[project = Projected]
    pub enum Answer {
        /// Of Execute.
        Message { #[pin] message: Message, owed: Owed },
        /// Of ExecuteStream.
        Messages { #[pin] messages: Messages<Chunked>, owed: Owed },
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
            Projected::Message { message, owed } => {
                message.poll_frame(cx).map_ok(|frame| until_sent(frame, owed))
            }
            Projected::Messages { messages, owed } => {
                messages.poll_frame(cx).map_ok(|frame| until_sent(frame, owed))
            }
            Projected::Other { body } => body.poll_frame(cx),
            Projected::Error { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Message { message, .. } => message.is_end_stream(),
            Self::Messages { messages, .. } => messages.is_end_stream(),
            Self::Other { body } => body.is_end_stream(),
            Self::Error { body } => body.is_end_stream(),
        }
    }
}
