//! How an answer ends that has no trailers of HTTP: in its body.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use tonic::{
    Status,
    metadata::{KeyAndValueRef, MetadataMap},
};

use super::super::{grpc, status::HttpError};

/// The flag of gRPC-Web's trailers.
const WEB: u8 = 0x80;
/// The flag of Connect's last envelope.
const CONNECT: u8 = 0x02;

/// Trailers as gRPC-Web carries them: as lines of HTTP/1.
pub fn web(trailers: &HeaderMap) -> Bytes {
    let mut lines = BytesMut::new();
    for (name, value) in trailers {
        lines.put_slice(name.as_str().as_bytes());
        lines.put_slice(b": ");
        lines.put_slice(value.as_bytes());
        lines.put_slice(b"\r\n");
    }
    grpc::framed(WEB, &lines)
}

/// Trailers as Connect's last envelope carries them.
pub fn connect(trailers: &HeaderMap) -> Bytes {
    let status = Status::from_header_map(trailers).unwrap_or_else(|| Status::unknown(""));
    let error = (!HttpError::is_ok(&status)).then(|| HttpError::of_connect(&status));
    let end = End { error, metadata: values(status.metadata()) };
    grpc::framed(CONNECT, &serde_json::to_vec(&end).unwrap_or_default())
}

/// The content of Connect's last envelope.
#[derive(serde::Serialize)]
struct End<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<HttpError>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'a str, Vec<String>>,
}

/// Metadata by its keys.
fn values(metadata: &MetadataMap) -> BTreeMap<&str, Vec<String>> {
    let mut values = BTreeMap::<_, Vec<_>>::new();
    for entry in metadata.iter() {
        let (key, value) = match entry {
            KeyAndValueRef::Ascii(key, value) => {
                (key.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            }
            KeyAndValueRef::Binary(key, value) => {
                let bytes = value.to_bytes().unwrap_or_default();
                (key.as_str(), STANDARD_NO_PAD.encode(bytes))
            }
        };
        values.entry(key).or_default().push(value);
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{call::CallError, server::status::of_call};

    fn failed() -> HeaderMap {
        let mut status = of_call(CallError::Cancelled, None, &Default::default());
        status
            .metadata_mut()
            .insert("x-mark", "é".escape_unicode().to_string().parse().expect("v"));
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers).expect("trailers");
        trailers
    }

    #[test]
    fn an_end_without_an_error_is_short() {
        let ok = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from_static("0"),
        )]);
        assert_eq!(&connect(&ok)[..], b"\x02\0\0\0\x02{}");
        assert_eq!(&web(&ok)[..], b"\x80\0\0\0\x10grpc-status: 0\r\n");
    }

    #[test]
    fn an_error_is_told_with_its_details_and_metadata() {
        let end = connect(&failed());
        let end: Json = serde_json::from_slice(&end[5..]).expect("JSON");
        assert_eq!(end["error"]["code"], "canceled");
        assert_eq!(end["error"]["details"][0]["type"], "google.rpc.ErrorInfo");
        assert_eq!(end["metadata"]["x-mark"], json!(["\\u{e9}"]));
        let lines = web(&failed());
        let lines = String::from_utf8_lossy(&lines[5..]);
        assert!(lines.contains("grpc-status: 1\r\n") && lines.contains("x-mark: "), "{lines}");
    }
}
