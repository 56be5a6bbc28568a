//! What a connection says that is closed while it rests. A client may have sent a request
//! just then, and could not tell whether it was read: a connection that ends without a word
//! may be one whose arbiter died in the middle of the call. An answer that nobody asked for
//! tells it (RFC 9110, section 15.5.9), and clients without a request do not read it.

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, Version, header};

use super::super::header_value::lists;

const FAREWELL: &str = concat!(
    "HTTP/1.1 408 Request Timeout\r\n",
    "content-type: application/json\r\n",
    "content-length: 156\r\n",
    "connection: close\r\n",
    "\r\n",
    r#"{"code":"unavailable","message":"the connection rested and is closed; a request that was sent meanwhile was not read: send it again on another connection"}"#,
    "\n",
);

/// Whether one is due. All of a connection is done by one thread at a time.
#[derive(Debug, Default)]
pub struct Farewell {
    /// A request has no answer yet; its answer says that the connection ends.
    asked: AtomicBool,
    /// The client knows that the connection ends with the answer.
    known: AtomicBool,
    /// The connection is asked to end.
    ends: AtomicBool,
}

impl Farewell {
    /// A request came.
    pub fn asked(&self, version: Version, headers: &HeaderMap) {
        let closes = lists(headers, header::CONNECTION, b"close");
        self.known.store(closes || version < Version::HTTP_11, Ordering::Relaxed);
        self.asked.store(true, Ordering::Relaxed);
    }

    /// The head of its answer leaves.
    pub fn answered(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }

    /// The connection is asked to end.
    pub fn ends(&self) {
        if self.asked.load(Ordering::Relaxed) {
            self.known.store(true, Ordering::Relaxed);
        }
        self.ends.store(true, Ordering::Relaxed);
    }

    /// What is said when it ends.
    pub fn due(&self) -> &'static [u8] {
        let is_due = self.ends.load(Ordering::Relaxed) && !self.known.load(Ordering::Relaxed);
        if is_due { FAREWELL.as_bytes() } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_length_is_right() {
        let (head, body) = FAREWELL.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn it_is_due_where_the_client_could_not_know() {
        let farewell = Farewell::default();
        assert!(farewell.due().is_empty(), "the client ended it");
        farewell.ends();
        assert!(!farewell.due().is_empty(), "it never had a request");
        let after = |version, headers: &HeaderMap, is_answered| {
            let farewell = Farewell::default();
            farewell.asked(version, headers);
            if is_answered {
                farewell.answered();
            }
            farewell.ends();
            !farewell.due().is_empty()
        };
        let none = HeaderMap::new();
        assert!(after(Version::HTTP_11, &none, true));
        assert!(!after(Version::HTTP_11, &none, false), "its answer will say it");
        assert!(!after(Version::HTTP_10, &none, true), "the end of the answer is the end");
        let mut close = HeaderMap::new();
        close.insert(header::CONNECTION, "keep-alive, Close".parse().expect("a value"));
        assert!(!after(Version::HTTP_11, &close, true));
    }
}
