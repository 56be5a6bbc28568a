//! The one mapping from what became of a call to what gRPC tells its caller;
//! the only file that names `tonic::Code`. docs/errors.md describes it.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status, metadata::MetadataValue};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    call::{AppFailure, CallError, EndedBy, Peer, Ticket, WorkerRef},
    config::ConfigError,
    pool::{ReloadError, ScaleError},
};

/// The domain of every ErrorInfo.
const DOMAIN: &str = "dirty.v1";
/// An error travels in trailers, for which stock clients allow 8 KiB in all:
/// above, those of grpc-java see no error of ours at all, and those of grpc-core
/// only sometimes. The traceback gets what the rest leaves of this.
const MAX_TRAILERS: usize = 7680;
const MAX_MESSAGE: usize = 1024;
const MAX_TRACEBACK: usize = 2560;
const MAX_METADATA: usize = 512;
/// What surrounds an entry of a map or a list in bytes, and all of them: the
/// names of the trailers, of the types and of the domain.
const ENTRY: usize = 8;
const FRAME: usize = 384;
const RELOAD_FAILED: (Code, &str) = (Code::FailedPrecondition, "RELOAD_FAILED");

/// What an error says about the call that it belongs to.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The app.
    pub app: String,
    /// The action.
    pub action: String,
    /// The caller's request id, or the number of the call.
    pub request_id: String,
}

impl Context {
    /// Takes the number of the call as its request id, if it has no other.
    pub fn name_request(&mut self, ticket: &Ticket) {
        if self.request_id.is_empty() {
            self.request_id = ticket.request_id();
        }
    }
}

/// Maps the outcome of a call.
pub fn of_call(error: CallError, worker: Option<WorkerRef>, context: &Context) -> Status {
    let mut facts = HashMap::from([
        ("app".to_owned(), context.app.clone()),
        ("action".to_owned(), context.action.clone()),
    ]);
    if !context.request_id.is_empty() {
        facts.insert("request_id".to_owned(), context.request_id.clone());
    }
    if let Some(worker) = worker {
        facts.insert("worker_id".to_owned(), worker.id.to_string());
        facts.insert("worker_pid".to_owned(), worker.pid.to_string());
    }
    let (code, reason) = code_and_reason(&error);
    let mut details = ErrorDetails::new();
    match &error {
        CallError::App(failure) => describe_failure(failure, &mut facts, &mut details),
        CallError::WorkerCrashed { ended: EndedBy::Exit(code), .. } => {
            facts.insert("exit_code".to_owned(), code.to_string());
        }
        CallError::WorkerCrashed { ended: EndedBy::Signal(signal), .. } => {
            facts.insert("signal".to_owned(), signal.to_string());
        }
        CallError::QueueFull { retry_after, bound, .. } => {
            facts.insert("bound".to_owned(), bound.key().to_owned());
            details.set_retry_info(Some(*retry_after));
        }
        CallError::NoWorkers { .. } | CallError::Draining => {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        _ => {}
    }
    details.set_error_info(reason, DOMAIN, facts);
    Status::with_error_details(code, head(&error.to_string(), MAX_MESSAGE), details)
}

/// The table of the contract.
fn code_and_reason(error: &CallError) -> (Code, &'static str) {
    match error {
        CallError::AppNotFound { .. } => (Code::NotFound, "APP_NOT_FOUND"),
        CallError::ActionNotFound { .. } => (Code::Unimplemented, "ACTION_NOT_FOUND"),
        CallError::InvalidRequest { .. } => (Code::InvalidArgument, "INVALID_REQUEST"),
        CallError::App(failure) => (app_code(failure.code), "APP_ERROR"),
        CallError::NotSerializable { .. } => (Code::Internal, "RESULT_NOT_SERIALIZABLE"),
        CallError::ActionStreams => (Code::FailedPrecondition, "ACTION_STREAMS"),
        CallError::QueueFull { .. } => (Code::ResourceExhausted, "QUEUE_FULL"),
        CallError::MessageTooLarge { .. } => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
        CallError::QueueTimeout { .. } => (Code::DeadlineExceeded, "QUEUE_TIMEOUT"),
        CallError::ExecutionTimeout { .. } => (Code::DeadlineExceeded, "EXECUTION_TIMEOUT"),
        CallError::NoWorkers { .. } => (Code::Unavailable, "NO_WORKERS"),
        CallError::WorkerCrashed { .. } => (Code::Aborted, "WORKER_CRASHED"),
        CallError::Draining => (Code::Unavailable, "DRAINING"),
        CallError::Cancelled => (Code::Cancelled, "CANCELLED"),
        CallError::Lost => (Code::Internal, "INTERNAL"),
    }
}

/// The code that an app chose; OK is no error and none is UNKNOWN.
fn app_code(chosen: i32) -> Code {
    match Code::from_i32(chosen) {
        Code::Ok => Code::Unknown,
        code => code,
    }
}

fn describe_failure(
    failure: &AppFailure,
    facts: &mut HashMap<String, String>,
    details: &mut ErrorDetails,
) {
    let mut room = MAX_METADATA;
    for (key, value) in &failure.metadata {
        let size = key.len() + value.len();
        if size <= room {
            room -= size;
            facts.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    facts.insert("exception_type".to_owned(), head(&failure.exception_type, 255));
    if !failure.traceback.is_empty() {
        let room = room_beside(&head(&failure.to_string(), MAX_MESSAGE), facts);
        details.set_debug_info(tail(&failure.traceback, room.min(MAX_TRACEBACK)), "traceback");
    }
}

/// How many bytes of the trailers a message and facts leave to a traceback. The
/// message is there twice: percent-encoded, and in base64 with all else.
fn room_beside(message: &str, facts: &HashMap<String, String>) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:,;/()'".contains(byte);
    let encoded: usize = message.bytes().map(|byte| if is_plain(&byte) { 1 } else { 3 }).sum();
    let facts: usize = facts.iter().map(|(key, value)| key.len() + value.len() + ENTRY).sum();
    (MAX_TRAILERS.saturating_sub(encoded) / 4 * 3).saturating_sub(message.len() + facts + FRAME)
}

/// A request that cannot be understood.
pub fn invalid_request(message: String) -> Status {
    of_call(CallError::InvalidRequest { message }, None, &Context::default())
}

/// A request above the limit.
pub fn request_too_large(size: u64, limit: usize) -> Status {
    let message = format!(
        "the request has {size} bytes, the limit is {limit}; send less, or raise max_message_size"
    );
    of_call(CallError::MessageTooLarge { message }, None, &Context::default())
}

/// A message that is compressed.
pub fn compressed() -> Status {
    let message = "the request is compressed, which dirtyd does not read: on a Unix socket it \
                   costs more than it saves; switch compression off in the client";
    let details = ErrorDetails::with_error_info("INVALID_REQUEST", DOMAIN, HashMap::new());
    let mut status = Status::with_error_details(Code::Unimplemented, message, details);
    let identity = MetadataValue::from_static("identity");
    status.metadata_mut().insert("grpc-accept-encoding", identity);
    status
}

/// A user id that may not connect.
pub fn peer_refused(peer: Peer) -> Status {
    let message = format!("{peer} is not in allowed_uids of this dirtyd");
    let details = ErrorDetails::with_error_info("PEER_NOT_ALLOWED", DOMAIN, HashMap::new());
    Status::with_error_details(Code::PermissionDenied, message, details)
}

/// A connection above the limit.
pub fn too_many_connections(limit: usize) -> Status {
    let message = format!(
        "{limit} connections are open; share a channel between calls, or raise max_connections"
    );
    let mut details = ErrorDetails::with_error_info("TOO_MANY_CONNECTIONS", DOMAIN, HashMap::new());
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// A pool that keeps its size.
pub fn of_scale(error: &ScaleError) -> Status {
    let (code, reason) = match error {
        ScaleError::NoSuchPool(_) => (Code::NotFound, "POOL_NOT_FOUND"),
        ScaleError::BelowNeed { .. } | ScaleError::TooMany { .. } => {
            (Code::InvalidArgument, "INVALID_REQUEST")
        }
        ScaleError::Draining => (Code::Unavailable, "DRAINING"),
    };
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, error.to_string(), details)
}

/// A reload that was not made, or given up.
pub fn of_reload(error: &ReloadError) -> Status {
    let (code, reason) = match error {
        ReloadError::NoSuchPool { .. } => (Code::NotFound, "POOL_NOT_FOUND"),
        ReloadError::Moves { .. } | ReloadError::Busy | ReloadError::GivenUp(_) => RELOAD_FAILED,
        ReloadError::Draining => (Code::Unavailable, "DRAINING"),
    };
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, head(&error.to_string(), MAX_MESSAGE), details)
}

/// A configuration that a reload cannot use.
pub fn of_config(error: &ConfigError) -> Status {
    let (code, reason) = RELOAD_FAILED;
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, head(&error.to_string(), MAX_MESSAGE), details)
}

/// The pool has ended.
pub fn draining() -> Status {
    of_call(CallError::Draining, None, &Context::default())
}

fn head(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// The last lines that fit into `limit` bytes; of one that is longer, its end.
fn tail(text: &str, limit: usize) -> Vec<String> {
    let mut room = limit;
    let fits = |line: &&str| {
        let left = room.checked_sub(line.len() + ENTRY);
        room = left.unwrap_or(room);
        left.is_some()
    };
    let mut lines: Vec<String> = text.lines().rev().take_while(fits).map(str::to_owned).collect();
    if lines.len() < text.lines().count() {
        if let (true, Some(last)) = (lines.is_empty(), text.lines().next_back()) {
            let start = last.len() - last.len().min(limit);
            lines.push(last[last.ceil_char_boundary(start)..].to_owned());
        }
        lines.push("… the traceback is longer".to_owned());
    }
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of a header list as HTTP/2 counts it.
    fn on_the_wire(status: &Status) -> usize {
        let mut headers = http::HeaderMap::new();
        status.add_header(&mut headers).expect("a message is no obstacle");
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
    }

    #[test]
    fn an_app_failure_fits_into_the_trailers_of_a_stock_client() {
        let context =
            Context { app: "a".repeat(255), action: "é".repeat(127), request_id: "r".repeat(128) };
        for (message, line) in [
            ("é", "line é\n"),
            ("word ", "  File \"app.py\", line 7, in action\n"),
            ("x", "\n"),
            ("\n", "é"),
        ] {
            let failure = AppFailure {
                exception_type: "E".repeat(1000),
                message: message.repeat(100_000),
                traceback: line.repeat(100_000),
                code: Code::NotFound as i32,
                metadata: (0..100).map(|i| (format!("key{i}"), "v".repeat(100))).collect(),
            };
            let worker = Some(WorkerRef { id: 1, pid: 2 });
            let status = of_call(CallError::App(Box::new(failure)), worker, &context);
            assert_eq!(status.code(), Code::NotFound, "the app chose it");
            let size = on_the_wire(&status);
            assert!(size < 8 * 1024 - 256, "{size} bytes with {message:?} and {line:?}");
            let info = status.get_error_details();
            assert_eq!(info.error_info().map(|i| i.reason.as_str()), Some("APP_ERROR"));
            let trace = info.debug_info().expect("traceback");
            let last = trace.stack_entries.last().expect("an entry");
            assert!(line.trim_end().ends_with(last.as_str()) || last.ends_with(line), "{last:?}");
        }
    }

    #[test]
    fn an_error_names_the_worker_and_the_call() {
        let error = CallError::WorkerCrashed {
            worker: WorkerRef { id: 3, pid: 44 },
            ended: EndedBy::Signal(9),
        };
        let context = Context { app: "a:A".into(), action: "b".into(), request_id: "r".into() };
        let status = of_call(error, Some(WorkerRef { id: 3, pid: 44 }), &context);
        assert_eq!(status.code(), Code::Aborted);
        assert!(status.message().contains("SIGKILL"), "{}", status.message());
        let details = status.get_error_details();
        let facts = &details.error_info().expect("info").metadata;
        for (key, value) in [("app", "a:A"), ("action", "b"), ("worker_pid", "44"), ("signal", "9")]
        {
            assert_eq!(facts.get(key).map(String::as_str), Some(value), "{key}");
        }
    }
}
