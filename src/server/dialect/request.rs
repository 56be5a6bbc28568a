//! The body of a request to a method.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::Body;
use http_body_util::Full;
use tonic::Status;
use tower::BoxError;

use super::{
    super::{body::gather, grpc, status},
    head::{Dialect, Framing},
    text,
};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The headers of a request as gRPC has them: without those of its body, with its deadline
/// where gRPC has it.
pub fn as_grpc(mut headers: HeaderMap) -> HeaderMap {
    for name in ["content-length", "content-encoding", "transfer-encoding", "connection"] {
        headers.remove(name);
    }
    if let Some(timeout) = headers.remove("connect-timeout-ms")
        && let Ok(mut value) = timeout.to_str().map(str::to_owned)
    {
        // gRPC has two digits less.
        match value.len() > 8 {
            true => {
                value.truncate(value.len() - 3);
                value.push('S');
            }
            false => value.push('m'),
        }
        headers.extend(HeaderValue::try_from(value).ok().map(|value| (GRPC_TIMEOUT, value)));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers
}

/// Reads the one message of a request, of at most `limit` bytes, unopened. `room` is
/// asked, with the number of bytes that have come, whether the next part may be kept.
///
/// # Errors
/// The body is not one uncompressed message, there is no room for it, or the caller left.
pub async fn message<B>(
    dialect: Dialect,
    body: B,
    limit: usize,
    room: impl FnMut(usize) -> Result<(), Status>,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    match dialect.framing {
        Framing::ConnectUnary => gather(body, limit, room).await,
        Framing::WebText => {
            let envelopes = envelopes(dialect, body, limit, room).await?;
            grpc::read(Full::new(envelopes), limit, |_| Ok(())).await
        }
        Framing::Grpc | Framing::Web | Framing::ConnectStream => {
            grpc::read(body, limit, room).await
        }
    }
}

/// Reads a whole request as gRPC puts it: each message behind its head.
///
/// # Errors
/// It is too large, there is no room for it, or the caller left.
pub async fn envelopes<B>(
    dialect: Dialect,
    body: B,
    limit: usize,
    room: impl FnMut(usize) -> Result<(), Status>,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    match dialect.framing {
        Framing::ConnectUnary => {
            let message = gather(body, limit, room).await?;
            Ok(grpc::framed(0, &message))
        }
        Framing::WebText => {
            let encoded = gather(body, limit / 3 * 4 + grpc::HEAD * 2, room).await?;
            text::decoded(&encoded).ok_or_else(|| {
                status::invalid_request(
                    "the request is not base64, which application/grpc-web-text is".to_owned(),
                )
            })
        }
        Framing::Grpc | Framing::Web | Framing::ConnectStream => {
            gather(body, limit + grpc::HEAD, room).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_moves_to_where_grpc_has_it() {
        for (millis, timeout) in
            [("250", "250m"), ("99999999", "99999999m"), ("9999999999", "9999999S")]
        {
            let mut headers = HeaderMap::new();
            headers.insert("connect-timeout-ms", millis.parse().expect("a value"));
            headers.insert("x-mark", "kept".parse().expect("a value"));
            let headers = as_grpc(headers);
            assert_eq!(headers[GRPC_TIMEOUT], timeout);
            assert!(headers["te"] == "trailers" && headers["x-mark"] == "kept");
        }
    }
}
