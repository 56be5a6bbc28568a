//! How an answer ended.

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Status;

/// The header of the outcome.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// It ended well.
pub fn ok() -> HeaderMap {
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))])
}

/// It ended with this status.
pub fn of(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // It fails only for a message that no header can hold, and tonic encodes it.
    let _ = status.add_header(&mut trailers);
    trailers
}
