//! What gRPC over HTTP/2 asks of the head of a request. A request without it did
//! not come from a gRPC client, or came through something that does not carry
//! gRPC: it is answered before anything runs.

use http::{HeaderMap, Method, Request, StatusCode, header};

use super::super::header_value::lists;

/// So much of a value is repeated to who sent it, in bytes.
const LONGEST: usize = 64;

/// Why a request is none of gRPC's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotGrpc {
    /// Its method is not POST.
    #[error("the request is {0}, but gRPC sends every request by POST")]
    Method(String),
    /// Its content is none that is read here.
    #[error(
        "the content-type is {0}, but methods of services read application/grpc, application/grpc-web, and application/proto and application/json (Connect)"
    )]
    ContentType(String),
    /// It does not accept trailers.
    #[error(
        "the header `te: trailers` is missing: the client is not gRPC, or a proxy in between drops trailers, which carry the outcome"
    )]
    NoTrailers,
}

impl NotGrpc {
    /// What HTTP says of it.
    pub fn http(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoTrailers => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks the head of a request.
///
/// # Errors
/// It is not gRPC.
pub fn check<B>(request: &Request<B>) -> Result<(), NotGrpc> {
    if request.method() != Method::POST {
        let method = request.method().as_str();
        return Err(NotGrpc::Method(method[..method.len().min(LONGEST)].to_owned()));
    }
    let headers = request.headers();
    let content = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if !is_grpc(content) {
        let found = match content {
            b"" => "missing".to_owned(),
            content => format!("`{}`", content[..content.len().min(LONGEST)].escape_ascii()),
        };
        return Err(NotGrpc::ContentType(found));
    }
    check_trailers(headers)
}

/// Checks that a client takes trailers.
///
/// # Errors
/// It does not say so.
pub fn check_trailers(headers: &HeaderMap) -> Result<(), NotGrpc> {
    match lists(headers, header::TE, b"trailers") {
        true => Ok(()),
        false => Err(NotGrpc::NoTrailers),
    }
}

/// `application/grpc`, with `+proto` or parameters behind it.
fn is_grpc(content: &[u8]) -> bool {
    let Some(rest) = content.strip_prefix(b"application/grpc") else { return false };
    matches!(rest.strip_prefix(b"+proto").unwrap_or(rest), [] | [b';' | b' ', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, content: &str, te: &str) -> Request<()> {
        let mut builder = Request::builder().method(method);
        for (name, value) in [("content-type", content), ("te", te)] {
            if !value.is_empty() {
                builder = builder.header(name, value);
            }
        }
        builder.body(()).expect("a request")
    }

    #[test]
    fn what_grpc_clients_send_is_taken() {
        for content in ["application/grpc", "application/grpc+proto", "application/grpc; x=y"] {
            assert_eq!(check(&request(Method::POST, content, "trailers")), Ok(()), "{content}");
        }
        assert_eq!(check(&request(Method::POST, "application/grpc", "gzip, Trailers")), Ok(()));
    }

    #[test]
    fn everything_else_is_told_what_is_missing() {
        let refused = |method, content: &str, te: &str| {
            check(&request(method, content, te)).expect_err("refused").to_string()
        };
        assert!(refused(Method::GET, "application/grpc", "trailers").contains("GET"));
        for content in ["text/plain", "application/grpc+json", "application/grpc-web", ""] {
            let told = refused(Method::POST, content, "trailers");
            let found = if content.is_empty() { "missing" } else { content };
            assert!(told.contains(found) && told.contains("application/grpc"), "{told}");
        }
        assert!(refused(Method::POST, "application/grpc", "").contains("te: trailers"));
    }
}
