//! ConformanceService: each request says what its answer should be. The edge reads its messages, as
//! it reads those of its own service; answers are written by hand, because tonic has no trailers
//! for an answer without error.

use std::{convert::Infallible, pin::Pin, task, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use dirtyd::internals::read_message;
use futures_util::{StreamExt as _, stream};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{CONTENT_TYPE, InvalidHeaderName, InvalidHeaderValue},
};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::{DecodeError, Message};
use prost_types::Any;
use tokio::time::sleep;
use tonic::{Code, Status, body::Body, server::NamedService};
use tower::Service;

use crate::{
    proto::{
        ConformancePayload, Error, Header, ServerStreamRequest, UnaryRequest, UnaryResponse,
        conformance_payload::RequestInfo,
    },
    wanted::Wanted,
};

/// The service.
#[derive(Clone)]
pub struct Conformance {
    /// The bytes that a message may have.
    pub limit: usize,
}

impl NamedService for Conformance {
    const NAME: &'static str = "connectrpc.conformance.v1.ConformanceService";
}

impl Service<Request<Body>> for Conformance {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut task::Context) -> task::Poll<Result<(), Infallible>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limit = self.limit;
        Box::pin(async move {
            Ok(answer(request, limit).await.unwrap_or_else(|error| error.into_http()))
        })
    }
}

async fn answer(request: Request<Body>, limit: usize) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let method = head.uri.path().rsplit('/').next().unwrap_or_default();
    let (wants, of): (Wants, _) = match method {
        "Unary" => (unary, "UnaryRequest"),
        "IdempotentUnary" => (unary, "IdempotentUnaryRequest"),
        "ServerStream" => (stream, "ServerStreamRequest"),
        _ => return Err(Status::unimplemented(format!("{method} is not implemented"))),
    };
    let message = read_message(body, limit, |_| Ok(())).await?;
    let info = RequestInfo {
        request_headers: told(&head.headers),
        timeout_ms: timeout(&head.headers),
        requests: vec![Any {
            type_url: format!("type.googleapis.com/connectrpc.conformance.v1.{of}"),
            value: message.to_vec(),
        }],
        connect_get_info: None,
    };
    let wanted = wants(message).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let invalid = |error: http::Error| Status::invalid_argument(error.to_string());
    let mut headers = heard(&wanted.headers).map_err(invalid)?;
    let trailers = heard(&wanted.trailers).map_err(invalid)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = Response::new(body_of(wanted, info, trailers));
    *response.headers_mut() = headers;
    Ok(response)
}

/// What a message wants.
type Wants = fn(Bytes) -> Result<Wanted, DecodeError>;

/// UnaryRequest and IdempotentUnaryRequest are the same on the wire.
fn unary(message: Bytes) -> Result<Wanted, DecodeError> {
    Ok(Wanted::of_unary(UnaryRequest::decode(message)?.response_definition))
}

fn stream(message: Bytes) -> Result<Wanted, DecodeError> {
    Ok(Wanted::of_stream(ServerStreamRequest::decode(message)?.response_definition))
}

/// The first message, or else the error, tells of the request.
fn body_of(wanted: Wanted, info: RequestInfo, mut trailers: HeaderMap) -> Body {
    let mut info = Some(info);
    let mut frames = Vec::new();
    for data in wanted.messages {
        let payload = ConformancePayload { data, request_info: info.take() };
        // All responses are the same on the wire.
        let message = UnaryResponse { payload: Some(payload) };
        frames.push((wanted.delay, Frame::data(framed(&message))));
    }
    let delay = wanted.error.as_ref().map_or(Duration::ZERO, |_| wanted.delay_of_error);
    let status =
        wanted.error.map_or_else(|| Status::new(Code::Ok, ""), |error| failed(error, info));
    status.add_header(&mut trailers).expect("a status is a header");
    frames.push((delay, Frame::trailers(trailers)));
    let frames = stream::iter(frames).then(|(delay, frame)| async move {
        sleep(delay).await;
        Ok::<_, Status>(frame)
    });
    Body::new(StreamBody::new(frames))
}

/// A message as gRPC writes it into a body.
fn framed(message: &impl Message) -> Bytes {
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(message.encoded_len() as u32);
    message.encode(&mut body).expect("it grows");
    body.freeze()
}

fn failed(mut error: Error, info: Option<RequestInfo>) -> Status {
    error.details.extend(info.map(|info| {
        Any {
            type_url:
                "type.googleapis.com/connectrpc.conformance.v1.ConformancePayload.RequestInfo"
                    .to_owned(),
            value: info.encode_to_vec(),
        }
    }));
    let Error { code, message, details } = error;
    let message = message.unwrap_or_default();
    let status = tonic_types::pb::Status { code, message: message.clone(), details };
    Status::with_details(Code::from_i32(code), message, status.encode_to_vec().into())
}

/// Headers as the service tells of them: binary ones as they came, in base64.
fn told(headers: &HeaderMap) -> Vec<Header> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let told = headers.keys().map(|name| Header {
        name: name.to_string(),
        value: headers.get_all(name).iter().map(text).collect(),
    });
    told.collect()
}

/// Headers as the service is told of them.
fn heard(headers: &[Header]) -> Result<HeaderMap, http::Error> {
    let mut heard = HeaderMap::new();
    for header in headers {
        let name: HeaderName = header.name.parse().map_err(|error: InvalidHeaderName| error)?;
        for value in &header.value {
            let value = value.parse().map_err(|error: InvalidHeaderValue| error)?;
            heard.append(name.clone(), value);
        }
    }
    Ok(heard)
}

/// The time that the caller has, in milliseconds.
fn timeout(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok()?;
    Some(match unit {
        "H" => number * 3_600_000,
        "M" => number * 60_000,
        "S" => number * 1000,
        "m" => number,
        "u" => number / 1000,
        "n" => number / 1_000_000,
        _ => return None,
    })
}
