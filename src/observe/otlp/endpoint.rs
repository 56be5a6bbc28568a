//! The URL of the collector.

use std::io;

use http::Uri;

/// Where a collector is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The URL of the collector.
    pub base: Uri,
    /// Where traces go by HTTP.
    pub traces: Uri,
    /// Where metrics go by HTTP.
    pub metrics: Uri,
}

impl Endpoint {
    /// Reads a URL. The paths of OTLP/HTTP are put behind its own.
    ///
    /// # Errors
    /// It is none. The text names the key and the remedy.
    pub fn read(url: &str) -> io::Result<Self> {
        let wrong = |why: &str| {
            let remedy = "write it like \"http://127.0.0.1:4317\"";
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("otlp_endpoint: `{url}` {why}; {remedy}"),
            )
        };
        let is_whole = |uri: &Uri| uri.scheme_str() == Some("http") && uri.host().is_some();
        let parsed = |url: &str| url.parse().ok().filter(is_whole);
        let base: Uri = parsed(url).ok_or_else(|| wrong("is no URL of a collector"))?;
        if base.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "otlp_endpoint: credentials in the URL are not sent; leave them out, and let a collector on this machine add them",
            ));
        }
        if base.query().is_some() {
            return Err(wrong("has a query"));
        }
        let path = |path: &str| parsed(&format!("{}{path}", url.trim_end_matches('/')));
        match (path("/v1/traces"), path("/v1/metrics")) {
            (Some(traces), Some(metrics)) => Ok(Self { base, traces, metrics }),
            _ => Err(wrong("is no URL of a collector")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_otlp_stand_behind_that_of_the_url() {
        for (url, traces) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector/otlp/", "http://collector/otlp/v1/traces"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ] {
            let endpoint = Endpoint::read(url).expect(url);
            assert_eq!(endpoint.traces, traces);
            assert!(endpoint.metrics.path().ends_with("/v1/metrics"));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_the_key() {
        for url in
            ["", "127.0.0.1:4317", "https://a", "http://", "http:///x", "http://a b", "http://a/?b"]
        {
            let error = Endpoint::read(url).expect_err(url).to_string();
            assert!(error.starts_with("otlp_endpoint: `"), "{error}");
        }
        let error = Endpoint::read("http://user:secret@host").expect_err("refused").to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
