//! In which form a caller wants what it asked for.

use http::{HeaderMap, header};

use super::super::header_value::{listed, media_type};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One value, `application/json`.
    One,
    /// Chunks as they come, each an event of `text/event-stream`.
    Events,
    /// Chunks as they come, each a line of `application/jsonl`.
    Lines,
}

impl Form {
    /// What the header `accept` asks for: chunks, if it names a form of them.
    pub fn of(headers: &HeaderMap) -> Self {
        let form = listed(headers, header::ACCEPT).find_map(|form| {
            let form = media_type(form);
            let is = |name: &[u8]| form.eq_ignore_ascii_case(name);
            match () {
                () if is(b"text/event-stream") => Some(Self::Events),
                () if is(b"application/jsonl") || is(b"application/x-ndjson") => Some(Self::Lines),
                () => None,
            }
        });
        form.unwrap_or(Self::One)
    }

    /// The content-type of the answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::One => "application/json",
            Self::Events => "text/event-stream",
            Self::Lines => "application/jsonl",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_to_be_asked_for() {
        for (accept, form) in [
            ("", Form::One),
            ("*/*", Form::One),
            ("application/json", Form::One),
            ("text/event-stream", Form::Events),
            ("Text/Event-Stream; charset=utf-8", Form::Events),
            ("text/html, application/x-ndjson;q=0.9", Form::Lines),
            ("application/jsonl,text/event-stream", Form::Lines),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a value"));
            assert_eq!(Form::of(&headers), form, "{accept}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), Form::One);
    }
}
