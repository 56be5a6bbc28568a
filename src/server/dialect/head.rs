//! Which dialect a request speaks: its content-type says it.

use http::{HeaderMap, Method, Request, Version, header};
use tonic::Status;

use super::super::{
    deadline::{self, Timeout},
    header_value::media_type,
    status,
};
use crate::call::Protocol;

/// The version of the Connect protocol.
const CONNECT_VERSION: &[u8] = b"1";

/// How messages are put into bodies of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// As gRPC does it, with trailers.
    Grpc,
    /// gRPC-Web: as gRPC does it, with the trailers in the body.
    Web,
    /// The same in base64.
    WebText,
    /// Connect, of methods that stream: in envelopes, the last of which tells the end.
    ConnectStream,
    /// Connect, of other methods: the body is the message.
    ConnectUnary,
}

/// How messages are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As protobuf.
    Proto,
    /// As protobuf's JSON.
    Json,
}

/// How a request to a method is put into HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Its bodies.
    pub framing: Framing,
    /// Its messages.
    pub codec: Codec,
}

/// Every content-type that stands for one. The first one of a dialect is that of its
/// answers.
const CONTENT_TYPES: [(&str, Framing, Codec); 12] = [
    ("application/proto", Framing::ConnectUnary, Codec::Proto),
    ("application/json", Framing::ConnectUnary, Codec::Json),
    ("application/connect+proto", Framing::ConnectStream, Codec::Proto),
    ("application/connect+json", Framing::ConnectStream, Codec::Json),
    ("application/grpc-web+proto", Framing::Web, Codec::Proto),
    ("application/grpc-web", Framing::Web, Codec::Proto),
    ("application/grpc-web+json", Framing::Web, Codec::Json),
    ("application/grpc-web-text+proto", Framing::WebText, Codec::Proto),
    ("application/grpc-web-text", Framing::WebText, Codec::Proto),
    ("application/grpc-web-text+json", Framing::WebText, Codec::Json),
    ("application/grpc+json", Framing::Grpc, Codec::Json),
    ("application/grpc+proto", Framing::Grpc, Codec::Proto),
];

/// Why a request to a method cannot be read. The messages are complete sentences without a
/// period; the client reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Its method of HTTP is not POST.
    #[error("the request is {0}, but methods of services are called by POST")]
    Method(Method),
    /// Its content is none that is read here.
    #[error(
        "the content-type is {0}, but methods of services read application/grpc, application/grpc-web, and application/proto and application/json (Connect)"
    )]
    ContentType(String),
    /// The method streams.
    #[error("this method streams; send application/connect+proto or application/connect+json")]
    Streams,
    /// The method does not stream.
    #[error("this method does not stream; send application/proto or application/json")]
    DoesNotStream,
    /// gRPC needs HTTP/2.
    #[error(
        "the content-type is gRPC's, which needs HTTP/2; use a gRPC client, Connect or gRPC-Web, or POST /v1/APP/ACTION with JSON"
    )]
    Grpc,
}

impl Dialect {
    /// The protocol that it is of.
    pub fn protocol(self) -> Protocol {
        match self.framing {
            Framing::Grpc => Protocol::Grpc,
            Framing::Web | Framing::WebText => Protocol::GrpcWeb,
            Framing::ConnectStream | Framing::ConnectUnary => Protocol::Connect,
        }
    }

    /// That of a request to a method, which is no plain gRPC over HTTP/2.
    ///
    /// # Errors
    /// It is none.
    pub fn of<B>(request: &Request<B>) -> Result<Self, Misfit> {
        let content = request.headers().get(header::CONTENT_TYPE);
        let content = content.map_or(&b""[..], |value| value.as_bytes());
        let name = media_type(content);
        let entry = CONTENT_TYPES.iter().find(|(of, ..)| name.eq_ignore_ascii_case(of.as_bytes()));
        let dialect = entry.map(|(_, framing, codec)| Self { framing: *framing, codec: *codec });
        if request.method() != Method::POST {
            return Err(Misfit::Method(request.method().clone()));
        }
        match dialect {
            Some(Self { framing: Framing::Grpc, .. }) if request.version() < Version::HTTP_2 => {
                Err(Misfit::Grpc)
            }
            Some(dialect) => Ok(dialect),
            None if name.eq_ignore_ascii_case(b"application/grpc") => Err(Misfit::Grpc),
            None => Err(Misfit::ContentType(match content {
                b"" => "missing".to_owned(),
                _ => format!("`{}`", content[..content.len().min(64)].escape_ascii()),
            })),
        }
    }

    /// The content-type of its answers.
    pub fn content_type(self) -> &'static str {
        let is_it = |(_, framing, codec): &&(&'static str, Framing, Codec)| {
            (*framing, *codec) == (self.framing, self.codec)
        };
        CONTENT_TYPES.iter().find(is_it).map_or("application/proto", |(name, ..)| name)
    }

    /// The header that carries its deadlines.
    pub fn timeout(self) -> &'static Timeout {
        match self.framing {
            Framing::ConnectStream | Framing::ConnectUnary => &deadline::CONNECT,
            Framing::Grpc | Framing::Web | Framing::WebText => &deadline::GRPC,
        }
    }

    /// Checks that a method that `streams`, or does not, can be called in it.
    ///
    /// # Errors
    /// It cannot.
    pub fn fits(self, streams: bool) -> Result<(), Misfit> {
        match self.framing {
            Framing::ConnectUnary if streams => Err(Misfit::Streams),
            Framing::ConnectStream if !streams => Err(Misfit::DoesNotStream),
            _ => Ok(()),
        }
    }

    /// Checks what the head of a request says of its body.
    ///
    /// # Errors
    /// It is compressed, or of another version of the protocol.
    pub fn check(self, headers: &HeaderMap) -> Result<(), Status> {
        let coding = match self.framing {
            Framing::ConnectUnary => "content-encoding",
            Framing::ConnectStream => "connect-content-encoding",
            Framing::Grpc | Framing::Web | Framing::WebText => "grpc-encoding",
        };
        let is_identity = |value: &[u8]| value.eq_ignore_ascii_case(b"identity");
        if headers.get(coding).is_some_and(|value| !is_identity(value.as_bytes())) {
            return Err(status::compressed());
        }
        match headers.get("connect-protocol-version") {
            Some(version) if version.as_bytes() != CONNECT_VERSION => {
                Err(status::invalid_request(format!(
                    "the request is of version `{}` of the Connect protocol; 1 is spoken here",
                    version.as_bytes()[..version.len().min(64)].escape_ascii()
                )))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, version: Version, content: &str) -> Request<()> {
        let builder = Request::builder().method(method).version(version);
        builder.header("content-type", content).body(()).expect("a request")
    }

    #[test]
    fn the_content_type_says_it() {
        for (name, framing, codec) in CONTENT_TYPES {
            let spoken = Dialect::of(&request(Method::POST, Version::HTTP_2, name));
            assert_eq!(spoken, Ok(Dialect { framing, codec }), "{name}");
        }
        let utf8 = request(Method::POST, Version::HTTP_11, "Application/JSON; charset=utf-8");
        let dialect = Dialect::of(&utf8).expect("Connect");
        assert_eq!(dialect.content_type(), "application/json");
        assert_eq!((dialect.fits(true), dialect.fits(false)), (Err(Misfit::Streams), Ok(())));
    }

    #[test]
    fn what_is_none_is_told_why() {
        let misfit = |method, version, content: &str| {
            Dialect::of(&request(method, version, content)).expect_err("none")
        };
        for content in ["application/grpc", "application/grpc+proto", "application/grpc+json"] {
            assert_eq!(misfit(Method::POST, Version::HTTP_11, content), Misfit::Grpc, "{content}");
        }
        let get = misfit(Method::GET, Version::HTTP_11, "application/json");
        assert_eq!(get, Misfit::Method(Method::GET));
        let form = misfit(Method::POST, Version::HTTP_11, "application/x-www-form-urlencoded");
        assert!(form.to_string().contains("`application/x-www-form-urlencoded`"));
    }

    #[test]
    fn compressed_bodies_and_other_versions_are_refused() {
        let dialect = Dialect { framing: Framing::ConnectUnary, codec: Codec::Proto };
        let check = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a value"));
            dialect.check(&headers).is_ok()
        };
        assert!(check("content-encoding", "identity") && check("grpc-encoding", "gzip"));
        assert!(!check("content-encoding", "gzip"));
        assert!(check("connect-protocol-version", "1") && !check("connect-protocol-version", "2"));
    }
}
