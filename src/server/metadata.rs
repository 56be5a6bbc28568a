//! What of a request's headers is the caller's own metadata, which its action sees.

use bytes::Bytes;
use dirtyd_client::proto::worker::Metadata;
use tonic::metadata::{KeyAndValueRef, MetadataMap};

/// The metadata key of a caller's own request id.
const REQUEST_ID: &str = "x-request-id";
/// The metadata key of a trace.
const TRACEPARENT: &str = "traceparent";
/// The longest request id in characters; what follows is cut.
const MAX_REQUEST_ID: usize = 128;
/// Headers of HTTP itself, which gRPC does not send.
const OF_HTTP: [&str; 13] = [
    "host",
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "content-encoding",
    "expect",
    "keep-alive",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a request came in, as far as its headers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// gRPC's.
    Grpc,
    /// Those of any client of HTTP.
    Http,
}

/// The trace that the caller says its call belongs to. One who names two says nothing.
pub fn traceparent(forwarded: &[Metadata]) -> Option<&[u8]> {
    let mut all = values(forwarded, TRACEPARENT);
    let one = all.next();
    one.filter(|_| all.next().is_none())
}

/// The values of a key. Most calls have no metadata at all.
fn values<'a>(forwarded: &'a [Metadata], key: &'a str) -> impl Iterator<Item = &'a [u8]> {
    forwarded.iter().filter(move |entry| entry.key == key).map(|entry| &entry.value[..])
}

/// Puts the span of the call in the place of its caller's.
pub fn set_traceparent(forwarded: &mut Vec<Metadata>, value: String) {
    forwarded.retain(|entry| entry.key != TRACEPARENT);
    forwarded.push(Metadata { key: TRACEPARENT.to_owned(), value: value.into() });
}

/// The caller's own request id; empty if there is none.
pub fn request_id(forwarded: &[Metadata]) -> String {
    values(forwarded, REQUEST_ID).next().map(cut).unwrap_or_default()
}

/// The same of a request whose metadata is not forwarded.
pub fn request_id_in(metadata: &MetadataMap) -> String {
    metadata.get(REQUEST_ID).map(|value| cut(value.as_bytes())).unwrap_or_default()
}

fn cut(id: &[u8]) -> String {
    let visible = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\t';
    match id.iter().all(visible) {
        true => id.iter().take(MAX_REQUEST_ID).map(|byte| *byte as char).collect(),
        false => String::new(),
    }
}

/// The caller's own metadata.
///
/// # Errors
/// A value is not what its key says.
pub fn forwarded(metadata: &MetadataMap, headers: Headers) -> Result<Vec<Metadata>, String> {
    let is_own = |key: &str| match headers {
        Headers::Grpc => is_own(key),
        Headers::Http => is_own(key) && !key.starts_with("connect-") && !OF_HTTP.contains(&key),
    };
    let entry = |entry: KeyAndValueRef<'_>| match entry {
        KeyAndValueRef::Ascii(key, value) if is_own(key.as_str()) => Some(Ok(Metadata {
            key: key.as_str().to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        })),
        KeyAndValueRef::Binary(key, value) if is_own(key.as_str()) => {
            Some(match value.to_bytes() {
                Ok(value) => Ok(Metadata { key: key.as_str().to_owned(), value }),
                Err(_) => Err(format!(
                    "the metadata `{key}` is not base64, which a key that ends with -bin needs"
                )),
            })
        }
        _ => None,
    };
    metadata.iter().filter_map(entry).collect()
}

/// Whether metadata is the caller's, and not gRPC's.
fn is_own(key: &str) -> bool {
    !key.starts_with("grpc-") && !matches!(key, "te" | "content-type" | "user-agent" | "x-timeout")
}
