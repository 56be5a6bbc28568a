//! The line of one call: who called what, how, what became of it and how long that took.
//! Never its arguments, and never what its app said.
//!
//! Text, for people, has what every call has in fixed places and the rest by name:
//!
//! ```text
//!   2026-11-30T16:48:19.123Z OK ml:Model.embed 12.3ms uid=1000 pid=4711 protocol=grpc queue=0.2ms run=12.1ms …
//! ```
//!
//! JSON, for machines, has the same fields in every line; what a call does not have is left
//! out.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use crate::{call::Peer, observe::record::CallRecord, printable};

/// The fields of a line. Times are in milliseconds, with microseconds behind the point.
#[derive(Debug, Clone, Serialize)]
pub struct Line<'a> {
    #[serde(serialize_with = "rfc3339")]
    time: SystemTime,
    /// The user of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The process of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// How the call came.
    pub protocol: &'static str,
    /// The app.
    pub app: &'a str,
    /// The action.
    pub action: &'a str,
    /// Whether it is an ExecuteStream.
    pub stream: bool,
    /// The name of gRPC's code.
    pub code: &'static str,
    /// The reason of ErrorInfo, or `OK`.
    pub reason: &'a str,
    /// How long it waited for a worker.
    pub queue_ms: f64,
    /// How long it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_ms: Option<f64>,
    /// How long its caller waited for the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_chunk_ms: Option<f64>,
    /// How long its caller waited in all.
    pub total_ms: f64,
    /// The number of its chunks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<u64>,
    /// The bytes of its request.
    pub bytes_in: u64,
    /// The bytes of its result or chunks.
    pub bytes_out: u64,
    /// The arbiter's number for its worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<u64>,
    /// The process of its worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_pid: Option<i32>,
    /// The arbiter's number for the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<u64>,
    /// The caller's name for the call.
    pub request_id: &'a str,
    /// The trace that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl<'a> Line<'a> {
    /// The line of a call. Its time is that of the end.
    pub fn of(record: &CallRecord<'a>) -> Self {
        let (uid, pid) = match record.peer {
            Peer::Process { uid, pid, .. } => (Some(*uid), *pid),
            Peer::Unknown => (None, None),
        };
        Self {
            time: record.on_the_wall(record.ended),
            uid,
            pid,
            protocol: record.protocol.name(),
            app: record.app,
            action: record.action,
            stream: record.stream,
            code: record.outcome.code,
            reason: record.outcome.reason,
            queue_ms: milliseconds(record.queue_wait()),
            run_ms: record.run_time().map(milliseconds),
            first_chunk_ms: record.until_first_chunk().map(milliseconds),
            total_ms: milliseconds(record.duration()),
            chunks: record.stream.then_some(record.chunks),
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            worker_id: record.worker.map(|worker| worker.id),
            worker_pid: record.worker.map(|worker| worker.pid),
            call_id: record.id.map(|id| id.0),
            request_id: record.request_id,
            trace_id: record.span.map(|span| span.trace().to_string()),
        }
    }

    /// When the call ended, as a line of text begins.
    pub fn time(&self) -> impl fmt::Display {
        humantime::format_rfc3339_millis(self.time)
    }

    /// The line as an object of JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            // Nothing in a line has no form in JSON.
            format!("{{\"error\":\"a line of the access log could not be written: {error}\"}}")
        })
    }
}

/// The line as text, without its time.
impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", word(self.reason))?;
        match self.app.is_empty() && self.action.is_empty() {
            true => f.write_str("-")?,
            false => write!(f, "{}.{}", word(self.app), word(self.action))?,
        }
        write!(f, " {}ms", self.total_ms)?;
        optional(f, "uid", self.uid)?;
        optional(f, "pid", self.pid)?;
        write!(f, " protocol={} code={} queue={}ms", self.protocol, self.code, self.queue_ms)?;
        optional(f, "run", self.run_ms.map(|ms| format!("{ms}ms")))?;
        optional(f, "first_chunk", self.first_chunk_ms.map(|ms| format!("{ms}ms")))?;
        optional(f, "chunks", self.chunks)?;
        write!(f, " in={} out={}", self.bytes_in, self.bytes_out)?;
        optional(f, "worker", self.worker_id)?;
        optional(f, "worker_pid", self.worker_pid)?;
        optional(f, "call", self.call_id)?;
        // One that the arbiter made is that of the call.
        let is_own = !self.request_id.is_empty()
            && self.call_id.is_none_or(|call| call.to_string() != self.request_id);
        optional(f, "request", is_own.then(|| word(self.request_id)))?;
        optional(f, "trace", self.trace_id.as_deref())
    }
}

fn optional(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    value: Option<impl fmt::Display>,
) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
}

/// Text of others as one word of a line: what could pass for another field, or for the end
/// of this one, stands in quotes.
fn word(text: &str) -> String {
    let is_plain =
        |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\') && !printable::is_hazard(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", printable::one_line(&quoted))
}

/// A time in milliseconds, to the microsecond.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

fn rfc3339<S: serde::Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(*time))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        call::Peer,
        observe::{record::Outcome, sample::record},
    };

    #[test]
    fn a_line_tells_all_of_a_call() {
        let peer = Peer::Process { uid: 1000, gid: 1000, pid: Some(4711) };
        let record = record(&peer);
        let line = Line::of(&record);
        assert_eq!(
            format!("{} {line}", line.time()),
            "2026-11-30T16:48:20.623Z OK ml:Model.embed 1500ms uid=1000 pid=4711 protocol=grpc \
             code=OK queue=250.125ms run=1249.875ms first_chunk=300ms chunks=3 in=10 out=2000 \
             worker=7 worker_pid=815 call=42 request=r-1 trace=01010101010101010101010101010101"
        );
        let json: serde_json::Value = serde_json::from_str(&line.json()).expect("JSON");
        assert_eq!(
            json,
            json!({
                "time": "2026-11-30T16:48:20.623Z", "uid": 1000, "pid": 4711, "protocol": "grpc",
                "app": "ml:Model", "action": "embed", "stream": true, "code": "OK", "reason": "OK",
                "queue_ms": 250.125, "run_ms": 1249.875, "first_chunk_ms": 300.0, "total_ms": 1500.0,
                "chunks": 3, "bytes_in": 10, "bytes_out": 2000, "worker_id": 7, "worker_pid": 815,
                "call_id": 42, "request_id": "r-1", "trace_id": "01".repeat(16),
            })
        );
    }

    #[test]
    fn a_call_that_got_nowhere_has_a_line_with_what_there_is() {
        let mut record = record(&Peer::Unknown);
        (record.app, record.action, record.request_id) = ("", "", "");
        (record.id, record.started, record.worker, record.first_chunk) = (None, None, None, None);
        (record.span, record.stream) = (None, false);
        record.outcome =
            Outcome { code: "INVALID_ARGUMENT", reason: "INVALID_REQUEST", message: "secret" };
        let line = Line::of(&record);
        assert_eq!(
            line.to_string(),
            "INVALID_REQUEST - 1500ms protocol=grpc code=INVALID_ARGUMENT queue=1500ms in=10 out=2000"
        );
        assert!(
            !line.json().contains("null") && !line.json().contains("secret"),
            "{}",
            line.json()
        );
    }

    #[test]
    fn a_request_id_that_the_arbiter_made_is_not_told_twice() {
        let mut record = record(&Peer::Unknown);
        record.request_id = "42";
        let line = Line::of(&record);
        assert!(line.to_string().contains(" call=42 trace="), "{line}");
        assert!(line.json().contains("\"request_id\":\"42\""), "{}", line.json());
    }

    #[test]
    fn names_of_others_forge_no_field_and_no_line() {
        for (name, shown) in [
            ("a:A", "a:A"),
            ("東京", "東京"),
            ("a uid=0", "\"a uid=0\""),
            ("a\nOK b", "\"a\\nOK b\""),
            ("\x1b[2J", "\"\\x1b[2J\""),
            ("a\" uid=0 \"", "\"a\\\" uid=0 \\\"\""),
            ("a\\\" uid=0", "\"a\\\\\\\" uid=0\""),
            ("\u{202e}txt", "\"\\u{202e}txt\""),
            ("", "\"\""),
        ] {
            assert_eq!(word(name), shown);
        }
    }

    proptest! {
        #[test]
        fn whatever_names_are_there_is_one_line_that_tells_them(
            app in any::<String>(), action in any::<String>(), id in any::<String>(),
        ) {
            let mut record = record(&Peer::Unknown);
            (record.app, record.action, record.request_id) = (&app, &action, &id);
            let line = Line::of(&record);
            let text = line.to_string();
            prop_assert!(!text.chars().any(printable::is_hazard), "{text:?}");
            let json = line.json();
            prop_assert!(!json.contains('\n'), "{json:?}");
            let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            prop_assert_eq!(read["app"].as_str(), Some(app.as_str()));
            prop_assert_eq!(read["action"].as_str(), Some(action.as_str()));
            prop_assert_eq!(read["request_id"].as_str(), Some(id.as_str()));
        }
    }
}
