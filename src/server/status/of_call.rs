//! The one mapping from what became of a call to what gRPC tells its caller.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{DOMAIN, facts, room};
use crate::call::{AppFailure, CallError, CallFacts, EndedBy, WorkerRef};

/// The room for the metadata that an app adds to its failure, in bytes.
const MAX_METADATA: usize = 512;
/// The longest type of an exception in bytes.
const MAX_TYPE: usize = 255;

/// Maps the outcome of a call.
pub fn of_call(error: CallError, worker: Option<WorkerRef>, of: &CallFacts) -> Status {
    let mut metadata = facts::metadata(of, worker);
    let (code, reason) = code_and_reason(&error);
    let message = room::message(&error.to_string());
    let mut details = ErrorDetails::new();
    match &error {
        CallError::App(failure) => {
            describe_failure(failure, &message, &mut metadata, &mut details);
        }
        CallError::WorkerCrashed { ended: EndedBy::Exit(code), .. } => {
            metadata.insert("exit_code".to_owned(), code.to_string());
        }
        CallError::WorkerCrashed { ended: EndedBy::Signal(signal), .. } => {
            metadata.insert("signal".to_owned(), signal.to_string());
        }
        CallError::QueueFull { retry_after, bound, .. } => {
            metadata.insert("bound".to_owned(), bound.key().to_owned());
            details.set_retry_info(Some(*retry_after));
        }
        CallError::NoWorkers { .. } | CallError::Draining => {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        _ => {}
    }
    details.set_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, message, details)
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
        CallError::CancelledByOperator => (Code::Cancelled, "CANCELLED_BY_OPERATOR"),
        CallError::QueueTimeout { .. } | CallError::DeadlineOver { .. } => {
            (Code::DeadlineExceeded, "QUEUE_TIMEOUT")
        }
        CallError::ExecutionTimeout { .. } => (Code::DeadlineExceeded, "EXECUTION_TIMEOUT"),
        CallError::NoWorkers { .. } => (Code::Unavailable, "NO_WORKERS"),
        CallError::WorkerCrashed { .. } => (Code::Aborted, "WORKER_CRASHED"),
        CallError::Draining => (Code::Unavailable, "DRAINING"),
        // It had started: nobody is to take it for one that did not.
        CallError::CutOff { .. } => (Code::Aborted, "DRAINING"),
        CallError::Cancelled => (Code::Cancelled, "CANCELLED"),
        CallError::Lost => (Code::Internal, "INTERNAL"),
    }
}

/// The code that an app chose. OK is no error, and an app that chose none gets
/// UNKNOWN, too.
fn app_code(chosen: i32) -> Code {
    match Code::from_i32(chosen) {
        Code::Ok => Code::Unknown,
        code => code,
    }
}

fn describe_failure(
    failure: &AppFailure,
    message: &str,
    metadata: &mut HashMap<String, String>,
    details: &mut ErrorDetails,
) {
    let mut left = MAX_METADATA;
    for (key, value) in &failure.metadata {
        let size = key.len() + value.len();
        if size <= left {
            left -= size;
            metadata.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    metadata.insert("exception_type".to_owned(), room::head(&failure.exception_type, MAX_TYPE));
    if !failure.traceback.is_empty() {
        let lines = room::traceback(&failure.traceback, message, metadata);
        details.set_debug_info(lines, "traceback");
    }
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
        let facts = CallFacts {
            app: "a".repeat(255),
            action: "é".repeat(127),
            request_id: "r".repeat(128),
            call: None,
        };
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
            let status = of_call(CallError::App(Box::new(failure)), worker, &facts);
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
        let facts = CallFacts { app: "a:A".into(), action: "b".into(), ..CallFacts::default() };
        let facts = CallFacts { call: Some(crate::call::CallId(77)), ..facts };
        let status = of_call(error, Some(WorkerRef { id: 3, pid: 44 }), &facts);
        assert_eq!(status.code(), Code::Aborted);
        assert!(status.message().contains("SIGKILL"), "{}", status.message());
        let details = status.get_error_details();
        let metadata = &details.error_info().expect("info").metadata;
        let expected = [
            ("app", "a:A"),
            ("action", "b"),
            ("request_id", "77"),
            ("worker_pid", "44"),
            ("signal", "9"),
        ];
        for (key, value) in expected {
            assert_eq!(metadata.get(key).map(String::as_str), Some(value), "{key}");
        }
    }
}
