//! Answers that have one message, or are an error from the start.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tonic::Status;

use super::{
    super::{
        answer::Answer,
        grpc,
        status::{self, HttpError},
    },
    codec::Described,
    head::{Codec, Dialect, Misfit},
};

/// Headers that are gRPC's own.
pub(super) const OF_GRPC: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
/// What methods read over HTTP/1.
const READ: &str = "application/proto, application/json, application/connect+proto, \
                    application/connect+json, application/grpc-web, application/grpc-web-text";

/// The head of an answer of Connect whose body is one message, `length` bytes long.
pub fn unary<T>(body: T, length: usize, dialect: Dialect) -> Response<T> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(dialect.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// An error as an answer of Connect that has one message.
pub fn failed(error: &Status) -> Response<Bytes> {
    let text = Bytes::from(HttpError::of_connect(error).text());
    let length = text.len();
    let mut response = Response::new(text);
    *response.status_mut() = status::http_of_code(error);
    let headers = response.headers_mut();
    headers.extend(error.metadata().clone().into_headers());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    response
}

/// A request to a method that cannot be read.
pub fn refused(misfit: &Misfit) -> Response<Bytes> {
    let mut response = failed(&status::invalid_request(misfit.to_string()));
    let (status, remedy) = match misfit {
        Misfit::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, Some((header::ALLOW, "POST"))),
        Misfit::Grpc => (StatusCode::HTTP_VERSION_NOT_SUPPORTED, None),
        Misfit::ContentType(_) | Misfit::Streams | Misfit::DoesNotStream => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, Some((ACCEPT_POST, READ)))
        }
    };
    *response.status_mut() = status;
    let remedy = remedy.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(remedy);
    response
}

/// An answer of gRPC that has one message, as one of Connect's.
pub async fn unary_of(
    response: Response<Answer>,
    dialect: Dialect,
    described: Described<'_>,
) -> Response<Bytes> {
    let (mut head, body) = response.into_parts();
    if let Some(error) = Status::from_header_map(&head.headers).filter(|it| !HttpError::is_ok(it)) {
        return failed(&error);
    }
    let whole = match body.collect().await {
        Ok(whole) => whole,
        Err(error) => return failed(&error),
    };
    let mut trailers = whole.trailers().cloned().unwrap_or_default();
    let error = Status::from_header_map(&trailers).filter(|it| !HttpError::is_ok(it));
    if let Some(error) = error {
        let mut response = failed(&error);
        merge(response.headers_mut(), &head.headers);
        return response;
    }
    let message = grpc::split(&mut whole.to_bytes().into()).unwrap_or_default();
    let message = match dialect.codec {
        Codec::Proto => message,
        Codec::Json => match described.to_json(message).await {
            Ok(json) => json,
            Err(error) => return failed(&error),
        },
    };
    let length = message.len();
    let mut response = unary(message, length, dialect);
    for name in OF_GRPC {
        trailers.remove(name);
        head.headers.remove(name);
    }
    merge(response.headers_mut(), &head.headers);
    for (name, value) in &trailers {
        if let Ok(name) = HeaderName::try_from(format!("trailer-{name}")) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// Adds headers that are not there yet.
fn merge(headers: &mut HeaderMap, more: &HeaderMap) {
    for name in more.keys().filter(|name| **name != header::CONTENT_TYPE) {
        if !headers.contains_key(name) {
            more.get_all(name).iter().for_each(|value| {
                headers.append(name, value.clone());
            });
        }
    }
}
