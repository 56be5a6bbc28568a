//! Values of headers that have parts.

use http::{HeaderMap, HeaderName};

/// A media type without its parameters, as it is written.
pub fn media_type(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    value[..end].trim_ascii()
}

/// The parts of a list, which may stand in one header or in several.
pub fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii))
}

/// Whether a list has this word.
pub fn lists(headers: &HeaderMap, name: HeaderName, word: &[u8]) -> bool {
    listed(headers, name).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use http::header::TE;

    use super::*;

    #[test]
    fn parts_are_found_without_what_stands_around_them() {
        assert_eq!(media_type(b" text/plain ; charset=utf-8"), b"text/plain");
        assert_eq!(media_type(b"text/plain"), b"text/plain");
        let mut headers = HeaderMap::new();
        headers.append(TE, "gzip, Trailers".parse().expect("a value"));
        headers.append(TE, "deflate".parse().expect("a value"));
        let parts: Vec<_> = listed(&headers, TE).collect();
        assert_eq!(parts, [&b"gzip"[..], b"Trailers", b"deflate"]);
        assert!(lists(&headers, TE, b"trailers") && !lists(&headers, TE, b"trail"));
    }
}
