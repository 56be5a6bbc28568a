//! Pages in browsers: which may call. Pure.
//!
//! A page of another site that is not listed is refused before anything runs: a browser
//! sends what is simple, as forms are, without asking first. Programs are no pages; they
//! send neither `origin` nor `sec-fetch-site`.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use super::header_value::media_type;

/// The origins whose pages may call.
#[derive(Debug, Clone)]
pub struct Origins {
    listed: Arc<[HeaderValue]>,
    any: bool,
}

/// Why a page may not call. The messages are complete sentences without a period; the
/// client reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Its origin is not listed.
    #[error(
        "pages of `{0}` may not call this dirtyd; its operator can list the origin in cors_origins"
    )]
    Origin(String),
    /// The browser did not say where the page is from, and could send the request without
    /// asking.
    #[error(
        "a page of `{0}` sent this without `content-type: application/json`; send it, or have the operator list the origin in cors_origins"
    )]
    Simple(String),
}

impl Origins {
    /// Those of the configuration; `*` stands for any.
    pub fn new(listed: &[String]) -> Self {
        let any = listed.iter().any(|origin| origin == "*");
        let values = listed.iter().filter_map(|origin| HeaderValue::try_from(origin).ok());
        let listed: Arc<[_]> = values.filter(|origin| origin != "*").collect();
        Self { listed, any }
    }

    /// Those that are listed, beside `*`.
    pub fn listed(&self) -> &[HeaderValue] {
        &self.listed
    }

    /// Whether any may call.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Checks that a request comes from no page that may not call.
    ///
    /// # Errors
    /// It does.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), NotAllowed> {
        let origin = headers.get(header::ORIGIN);
        if self.any || origin.is_some_and(|origin| self.listed.contains(origin)) {
            return Ok(());
        }
        let name = || match origin {
            Some(origin) => origin.as_bytes()[..origin.len().min(256)].escape_ascii().to_string(),
            None => "another site".to_owned(),
        };
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(NotAllowed::Origin(name())),
            // The browser asks before it sends anything else (Fetch, section 2.2.2), and is
            // not allowed to.
            None if origin.is_some() && is_simple(headers) => Err(NotAllowed::Simple(name())),
            None => Ok(()),
        }
    }
}

/// Whether a browser sends it without asking first.
fn is_simple(headers: &HeaderMap) -> bool {
    const SIMPLE: [&[u8]; 3] =
        [b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain"];
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = media_type(kind.as_bytes());
    SIMPLE.iter().any(|simple| kind.eq_ignore_ascii_case(simple))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &[&str], headers: &[(&'static str, &'static str)]) -> Result<(), NotAllowed> {
        let listed: Vec<_> = listed.iter().map(|&origin| origin.to_owned()).collect();
        let headers = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), HeaderValue::from_static(value))
        });
        Origins::new(&listed).check(&headers.collect())
    }

    const PAGE: (&str, &str) = ("origin", "https://shop.example");
    const JSON: (&str, &str) = ("content-type", "application/json");

    #[test]
    fn programs_and_pages_of_the_same_origin_may_call() {
        assert_eq!(check(&[], &[]), Ok(()));
        assert_eq!(check(&[], &[("content-type", "text/plain")]), Ok(()));
        assert_eq!(check(&[], &[PAGE, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(check(&[], &[("sec-fetch-site", "none")]), Ok(()), "typed by a person");
    }

    #[test]
    fn pages_of_others_may_call_if_they_are_listed() {
        for site in ["cross-site", "same-site"] {
            let from = [PAGE, JSON, ("sec-fetch-site", site)];
            let refused = check(&["https://other.example"], &from).expect_err("not listed");
            assert!(refused.to_string().contains("`https://shop.example`"), "{refused}");
            assert_eq!(check(&["https://shop.example"], &from), Ok(()));
            assert_eq!(check(&["*"], &from), Ok(()));
        }
        assert!(check(&[], &[("sec-fetch-site", "cross-site")]).is_err(), "a picture");
    }

    #[test]
    fn without_a_word_on_the_site_only_what_needs_a_question_is_taken() {
        assert_eq!(check(&[], &[PAGE, JSON]), Ok(()), "the browser had to ask");
        assert!(check(&[], &[PAGE]).is_err());
        assert!(check(&[], &[PAGE, ("content-type", "text/plain; charset=utf-8")]).is_err());
    }
}
