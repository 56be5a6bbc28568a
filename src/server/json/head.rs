//! What the head of a request says.

use http::{HeaderMap, header};
use tonic::Status;

use super::super::{header_value::media_type, status};

/// Content-types that are read as JSON; the form's is what curl says of `-d`.
const READ: [&[u8]; 3] = [b"application/json", b"application/x-www-form-urlencoded", b"text/plain"];

/// Checks that a body is JSON as far as its head says.
///
/// # Errors
/// It is something else, or compressed.
pub fn is_readable(headers: &HeaderMap) -> Result<(), Status> {
    let coding = headers.get(header::CONTENT_ENCODING).map_or(&b"identity"[..], |it| it.as_bytes());
    if !coding.eq_ignore_ascii_case(b"identity") {
        return Err(status::compressed());
    }
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.as_bytes();
    let name = media_type(kind);
    match READ.iter().any(|read| name.eq_ignore_ascii_case(read)) {
        true => Ok(()),
        false => Err(status::invalid_request(format!(
            "the content-type is `{}`, but arguments are read as application/json",
            kind[..kind.len().min(64)].escape_ascii()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_curl_sends_is_read_and_what_is_certainly_no_json_is_not() {
        for (kind, is_read) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/x-www-form-urlencoded", true),
            ("multipart/form-data; boundary=x", false),
            ("application/octet-stream", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().expect("a value"));
            assert_eq!(is_readable(&headers).is_ok(), is_read, "{kind}");
        }
        let mut headers = HeaderMap::new();
        assert!(is_readable(&headers).is_ok());
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().expect("a value"));
        assert!(is_readable(&headers).is_err());
    }
}
