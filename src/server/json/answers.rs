//! Answers of HTTP with JSON.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use tonic::Status;

use super::{
    super::status::{self, HttpError},
    form::Form,
    target::NoTarget,
};
use crate::pool::Snapshot;

/// The head of an answer whose body is one value, `length` bytes long.
pub fn one<T>(body: T, length: usize) -> Response<T> {
    let mut response = streamed(body, Form::One);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// The head of an answer in this form.
pub fn streamed<T>(body: T, form: Form) -> Response<T> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    // Results of calls are nobody's to keep.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error.
pub fn error(error: &Status) -> Response<Bytes> {
    failed(status::http_of(error), &HttpError::of(error))
}

/// A request that is for nothing.
pub fn nothing(why: &NoTarget) -> Response<Bytes> {
    let (status, code) = match why {
        NoTarget::Path => (StatusCode::NOT_FOUND, "not_found"),
        NoTarget::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "unimplemented"),
        NoTarget::Encoding => (StatusCode::BAD_REQUEST, "invalid_argument"),
    };
    let mut response = failed(status, &HttpError::plain(code, "INVALID_REQUEST", why.to_string()));
    if let NoTarget::Method { allowed, .. } = why {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    response
}

fn failed(status: StatusCode, error: &HttpError) -> Response<Bytes> {
    let mut response = text(error.text());
    *response.status_mut() = status;
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// What this is, for who looks at it.
pub fn index() -> Response<Bytes> {
    text(
        json!({
            "name": "dirtyd",
            "version": env!("CARGO_PKG_VERSION"),
            "apps": "/v1",
            "metrics": "/metrics",
            "health": "/healthz and /readyz",
            "call": "POST /v1/{app}/{action}, with {\"args\": [...], \"kwargs\": {...}}",
            "services": "dirty.v1.Arbiter and others, by gRPC with reflection, Connect and gRPC-Web",
            "pages": "docs/clients.md and docs/errors.md, in the sources",
        })
        .to_string(),
    )
}

/// The apps that a caller `may` call.
pub fn apps(snapshot: &Snapshot, may: impl Fn(&str) -> bool) -> Response<Bytes> {
    let apps = snapshot.apps.iter().filter(|app| may(&app.app)).map(|app| {
        json!({
            "app": app.app, "ready_workers": app.ready_workers, "queued": app.queued,
            "running": app.running,
        })
    });
    text(json!({ "apps": apps.collect::<Vec<Json>>() }).to_string())
}

/// A line of text for people, which is JSON.
fn text(line: String) -> Response<Bytes> {
    let line = Bytes::from(line + "\n");
    let length = line.len();
    one(line, length)
}
