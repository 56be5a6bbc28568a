//! The body of any answer of the edge.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tonic::Status;

use super::{
    chunks::EncodedChunks,
    dialect::TranslatedBody,
    grpc::{NotGrpc, StreamingBody, UnaryBody},
    json::Lines,
    lifetime::Served,
    outstanding::OutstandingAnswer,
    status,
    unread::LargeBody,
    until_drain::UntilDrain,
};

pin_project! {
    /// The body of an answer.
    #[project = Projected]
    pub enum Answer {
        /// Of Execute.
        Unary { #[pin] body: UnaryBody, outstanding: OutstandingAnswer, served: Served },
        /// Of Execute, if it is large.
        Large { #[pin] body: LargeBody, outstanding: OutstandingAnswer },
        /// Of ExecuteStream.
        Streaming {
            #[pin] body: StreamingBody<EncodedChunks>,
            outstanding: OutstandingAnswer,
            served: Served,
        },
        /// Of a stream in JSON.
        Lines {
            #[pin] body: Lines<EncodedChunks>,
            outstanding: OutstandingAnswer,
            served: Served,
        },
        /// Of any method, in a dialect of gRPC.
        Translated { body: TranslatedBody },
        /// Of another service.
        Other { #[pin] body: UntilDrain, served: Served },
        /// An error of gRPC.
        Error { #[pin] body: tonic::body::Body },
        /// An error in JSON, or what is told of the edge itself. `is_cheap` is whether it
        /// took no call.
        Text { body: Option<Bytes>, is_cheap: bool },
    }
}

impl Default for Answer {
    /// Nothing, as who asks whether it may is answered.
    fn default() -> Self {
        Self::Text { body: None, is_cheap: true }
    }
}

impl Answer {
    /// A short text. `is_cheap` is whether it took no call.
    pub fn text(response: Response<Bytes>, is_cheap: bool) -> Response<Self> {
        response.map(|text| Self::Text { body: Some(text), is_cheap })
    }

    /// Whether it took no call.
    pub fn is_cheap(&self) -> bool {
        matches!(self, Self::Text { is_cheap: true, .. })
    }
}

/// An answer that is an error from the start.
pub fn refused(status: Status) -> Response<Answer> {
    status.into_http::<tonic::body::Body>().map(|body| Answer::Error { body })
}

/// The answer to a request that is not gRPC.
pub fn not_grpc(why: &NotGrpc) -> Response<Answer> {
    let mut response = refused(status::not_grpc(why));
    *response.status_mut() = why.http();
    response
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.project() {
            Projected::Unary { body, outstanding, .. } => {
                body.poll_frame(cx).map_ok(|frame| outstanding.until_sent(frame))
            }
            Projected::Large { body, outstanding, .. } => {
                body.poll_frame(cx).map_ok(|frame| outstanding.until_sent(frame))
            }
            Projected::Streaming { body, outstanding, .. } => {
                body.poll_frame(cx).map_ok(|frame| outstanding.until_sent(frame))
            }
            Projected::Lines { body, outstanding, .. } => {
                body.poll_frame(cx).map_ok(|frame| outstanding.until_sent(frame))
            }
            Projected::Translated { body } => body.as_mut().poll_frame(cx),
            Projected::Other { body, .. } => body.poll_frame(cx),
            Projected::Error { body } => body.poll_frame(cx),
            Projected::Text { body, .. } => {
                Poll::Ready(body.take().map(|text| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Unary { body, .. } => body.is_end_stream(),
            Self::Large { body, .. } => body.is_end_stream(),
            Self::Streaming { body, .. } => body.is_end_stream(),
            Self::Lines { body, .. } => body.is_end_stream(),
            Self::Translated { body } => body.is_end_stream(),
            Self::Other { body, .. } => body.is_end_stream(),
            Self::Error { body } => body.is_end_stream(),
            Self::Text { body, .. } => body.is_none(),
        }
    }
}
