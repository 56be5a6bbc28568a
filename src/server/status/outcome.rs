//! What metrics and logs say of an error.

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::DOMAIN;
use crate::observe::{Failed, OTHER};

/// The reasons of our domain: labels are among them, whatever an app says.
const REASONS: [&str; 26] = [
    "ACTION_NOT_FOUND",
    "ACTION_STREAMS",
    "APP_ERROR",
    "APP_NOT_ALLOWED",
    "APP_NOT_FOUND",
    "CALL_NOT_FOUND",
    "CANCELLED",
    "CANCELLED_BY_OPERATOR",
    "DRAINING",
    "EXECUTION_TIMEOUT",
    "INTERNAL",
    "INVALID_REQUEST",
    "MESSAGE_TOO_LARGE",
    "NOT_AN_OPERATOR",
    "NO_WORKERS",
    "ORIGIN_NOT_ALLOWED",
    "PEER_NOT_ALLOWED",
    "QUEUE_FULL",
    "QUEUE_TIMEOUT",
    "RELOAD_FAILED",
    "REQUEST_TIMEOUT",
    "RESULT_NOT_HELD",
    "RESULT_NOT_SERIALIZABLE",
    "TOO_MANY_CONNECTIONS",
    "WORKER_CRASHED",
    "WORKER_NOT_FOUND",
];

/// An error as metrics and logs tell it.
pub fn failed(status: &Status) -> Failed<'_> {
    let code = name(status.code());
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    // One without an ErrorInfo is of the protocol.
    let reason = info.map_or(code, |info| {
        REASONS.iter().find(|reason| **reason == info.reason).copied().unwrap_or(OTHER)
    });
    Failed { code, reason, message: status.message() }
}

/// The app, the action and the request id that an error names; empty if it names none.
pub fn names(status: &Status) -> [String; 3] {
    let info = status.get_details_error_info();
    let mut metadata = info.map(|info| info.metadata).unwrap_or_default();
    let take = |key| metadata.remove(key).unwrap_or_default();
    ["app", "action", "request_id"].map(take)
}

/// The name of a code in gRPC's spelling.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::{CallError, CallFacts},
        server::status,
    };

    #[test]
    fn an_error_is_told_by_its_reason_and_names_its_call() {
        let facts = CallFacts { app: "a:A".into(), action: "b".into(), ..CallFacts::default() };
        let error = status::of_call(CallError::ActionStreams, None, &facts);
        let told = failed(&error);
        assert_eq!((told.code, told.reason), ("FAILED_PRECONDITION", "ACTION_STREAMS"));
        assert_eq!(names(&error)[..2], ["a:A", "b"]);
        let bare = Status::internal("it broke");
        assert_eq!(failed(&bare).reason, "INTERNAL", "one without an ErrorInfo");
        assert_eq!(names(&bare), ["", "", ""]);
    }
}
