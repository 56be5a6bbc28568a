//! What a page may ask for if the configuration lets it operate: the requests, and the JSON
//! of their answers. Whoever serves them asks the service Admin, which decides.
//!
//! ```text
//!   POST /operate/workers/{id}/restart   {"pid": 4711, "pool": "main"}
//!   POST /operate/workers/{id}/stacks    {"pid": 4711, "note": "", "stacks": [...]}
//!   POST /operate/calls/{id}/cancel      {"state": "RUNNING"}
//! ```
//!
//! Each needs the header [`HEADER`], which no form has, and which no script of another origin
//! may send without being allowed to first. An error is `{"message": "..."}`.

use dirtyd_client::proto::v1;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::printable;

/// The header that only the page itself sends, and its value.
pub const HEADER: (&str, &str) = ("x-dirtyd-page", "operate");

/// Something that a page asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Replace this worker.
    RestartWorker(u64),
    /// Say what this worker does.
    Stacks(u64),
    /// End this call.
    CancelCall(u64),
}

/// Why it is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is none of the three.
    #[error("there is no such operation")]
    Unknown,
    /// It is one, with another method.
    #[error("an operation is a POST")]
    Method,
    /// It may come from the page of somebody else.
    #[error("an operation needs the header {}: {}", HEADER.0, HEADER.1)]
    Foreign,
}

impl Refused {
    /// The status of its answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Foreign => StatusCode::FORBIDDEN,
        }
    }
}

impl Operation {
    /// Reads a request whose path begins with `/operate/`.
    ///
    /// # Errors
    /// It is no operation, or not from the page.
    pub fn of(method: &Method, path: &str, headers: &HeaderMap) -> Result<Self, Refused> {
        let parts: Vec<_> = path.split('/').collect();
        let ["", "operate", of, id, what] = parts[..] else { return Err(Refused::Unknown) };
        let id = id.parse().map_err(|_| Refused::Unknown)?;
        let operation = match (of, what) {
            ("workers", "restart") => Self::RestartWorker(id),
            ("workers", "stacks") => Self::Stacks(id),
            ("calls", "cancel") => Self::CancelCall(id),
            _ => return Err(Refused::Unknown),
        };
        if *method != Method::POST {
            return Err(Refused::Method);
        }
        match headers.get(HEADER.0) {
            Some(value) if value == HEADER.1 => Ok(operation),
            _ => Err(Refused::Foreign),
        }
    }
}

/// Which worker is replaced.
pub fn restarted(response: &v1::RestartWorkerResponse) -> Json {
    json!({ "pid": response.worker_pid, "pool": printable::one_line(&response.pool) })
}

/// Where the call was.
pub fn cancelled(response: &v1::CancelCallResponse) -> Json {
    let state = response.state().as_str_name();
    json!({ "state": state.strip_prefix("CALL_STATE_").unwrap_or(state) })
}

/// What a worker does. The frames of a stack are in the order of its calls.
pub fn stacks(response: &v1::GetStacksResponse) -> Json {
    let frame = |frame: &v1::StackFrame| {
        json!({
            "function": printable::one_line(&frame.function),
            "file": printable::one_line(&frame.file),
            "line": frame.line,
            "source": printable::one_line(&frame.source),
        })
    };
    let stack = |stack: &v1::Stack| {
        json!({
            "name": printable::one_line(&stack.name),
            "call": stack.call_id,
            "note": printable::one_line(&stack.note),
            "frames": stack.frames.iter().map(frame).collect::<Vec<_>>(),
        })
    };
    json!({
        "pid": response.worker_pid,
        "note": printable::one_line(&response.note),
        "stacks": response.stacks.iter().map(stack).collect::<Vec<_>>(),
    })
}

/// What the page shows of an error.
pub fn error(message: &str) -> Json {
    json!({ "message": printable::one_line(message) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(
        method: &Method,
        path: &str,
        value: Option<&'static str>,
    ) -> Result<Operation, Refused> {
        let value = value.map(http::HeaderValue::from_static);
        let headers = value.map(|value| (http::HeaderName::from_static(HEADER.0), value));
        Operation::of(method, path, &headers.into_iter().collect())
    }

    #[test]
    fn a_request_of_the_page_is_an_operation() {
        for (path, operation) in [
            ("/operate/workers/7/restart", Operation::RestartWorker(7)),
            ("/operate/workers/7/stacks", Operation::Stacks(7)),
            ("/operate/calls/9007199254740991/cancel", Operation::CancelCall((1 << 53) - 1)),
        ] {
            assert_eq!(asks(&Method::POST, path, Some(HEADER.1)), Ok(operation), "{path}");
            assert_eq!(asks(&Method::GET, path, Some(HEADER.1)), Err(Refused::Method), "{path}");
            for value in [None, Some(""), Some("yes")] {
                assert_eq!(asks(&Method::POST, path, value), Err(Refused::Foreign), "{path}");
            }
        }
        for path in [
            "/operate/",
            "/operate/workers/7",
            "/operate/workers/7/cancel",
            "/operate/workers/x/restart",
            "/operate/workers/-1/restart",
            "/operate/workers/7/restart/",
            "/operate/calls/7/restart",
        ] {
            assert_eq!(asks(&Method::POST, path, Some(HEADER.1)), Err(Refused::Unknown), "{path}");
        }
    }

    #[test]
    fn stacks_are_told_with_text_of_others_escaped() {
        let frame = v1::StackFrame {
            function: "A.run\u{1b}[2J".to_owned(),
            file: "a.py".to_owned(),
            line: 3,
            source: "x = 1".to_owned(),
        };
        let stack = v1::Stack { call_id: 9, frames: vec![frame], ..v1::Stack::default() };
        let response =
            v1::GetStacksResponse { worker_pid: 4, stacks: vec![stack], note: String::new() };
        let told = stacks(&response);
        assert_eq!(told["stacks"][0]["call"], 9);
        assert_eq!(told["stacks"][0]["frames"][0]["function"], "A.run\\x1b[2J");
    }
}
