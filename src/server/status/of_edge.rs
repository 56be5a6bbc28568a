//! Errors of the edge itself.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status, metadata::MetadataValue};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{DOMAIN, facts, of_call};
use crate::{
    call::{CallError, CallFacts},
    server::{
        access::Denied, admission::Refusal, grpc::NotGrpc, held::NoRoom, origins::NotAllowed,
    },
};

/// A request that cannot be understood.
pub fn invalid_request(message: String) -> Status {
    of_call(CallError::InvalidRequest { message }, None, &CallFacts::default())
}

/// A request above the limit, both in bytes.
pub fn request_too_large(size: u64, limit: usize) -> Status {
    let message = format!(
        "the request has {size} bytes, the limit is {limit}; send less, or raise max_message_size"
    );
    of_call(CallError::MessageTooLarge { message }, None, &CallFacts::default())
}

/// A message above the limit of the JSON codec, both in bytes.
pub fn too_large_for_json(size: usize, limit: usize) -> Status {
    let message = format!(
        "the message has {size} bytes, the limit of protobuf's JSON is {limit}; use the proto codec, or POST /v1/APP/ACTION"
    );
    of_call(CallError::MessageTooLarge { message }, None, &CallFacts::default())
}

/// A method that no service has.
pub fn no_method(path: &str) -> Status {
    Status::unimplemented(format!(
        "there is no method {}; reflection lists all of them",
        path.trim_start_matches('/')
    ))
}

/// An answer that has no form in JSON.
pub fn not_in_json(kind: &str, why: &str) -> Status {
    Status::internal(format!("the answer, a {kind}, cannot be told in JSON: {why}"))
}

/// A request whose head, its metadata, is above the limit, both in bytes.
pub fn head_too_large(size: usize, limit: usize) -> Status {
    let message = format!(
        "the metadata of the request has {size} bytes, the limit is {limit}; send less, or raise max_header_size"
    );
    of_call(CallError::MessageTooLarge { message }, None, &CallFacts::default())
}

/// A request that is not gRPC.
pub fn not_grpc(why: &NotGrpc) -> Status {
    let code = match why {
        NotGrpc::Method(_) => Code::Internal,
        NotGrpc::ContentType(_) | NotGrpc::NoTrailers => Code::InvalidArgument,
    };
    let details = ErrorDetails::with_error_info("INVALID_REQUEST", DOMAIN, HashMap::new());
    Status::with_error_details(code, why.to_string(), details)
}

/// A request that did not arrive whole in time.
pub fn request_too_slow(limit: Duration) -> Status {
    let message = format!(
        "the request did not arrive whole within {limit:?}; send it faster, or raise request_timeout"
    );
    let details = ErrorDetails::with_error_info("REQUEST_TIMEOUT", DOMAIN, HashMap::new());
    Status::with_error_details(Code::DeadlineExceeded, message, details)
}

/// A request that cannot be kept.
pub fn no_room_for_request(no_room: NoRoom) -> Status {
    let message = format!("the request cannot be kept: {}; retry later", of_held(no_room));
    let bound = HashMap::from([("bound".to_owned(), "max_held_bytes".to_owned())]);
    let mut details = ErrorDetails::with_error_info("QUEUE_FULL", DOMAIN, bound);
    details.set_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// A result or a chunk that cannot be kept until its caller reads it.
pub fn no_room_for_result(no_room: NoRoom, of: &CallFacts) -> Status {
    let message = format!(
        "the action ran, but its result cannot be kept until it is read: {}; it may have had effects",
        of_held(no_room)
    );
    let mut metadata = facts::metadata(of, None);
    metadata.insert("bound".to_owned(), "max_held_bytes".to_owned());
    let details = ErrorDetails::with_error_info("RESULT_NOT_HELD", DOMAIN, metadata);
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

fn of_held(no_room: NoRoom) -> String {
    match no_room {
        NoRoom::ForAnybody(limit) => {
            format!("with it more than {limit} bytes would be held for callers (max_held_bytes)")
        }
        NoRoom::ForUser(limit) => {
            format!(
                "with it more than {limit} bytes would be held for this user, three quarters of max_held_bytes"
            )
        }
    }
}

/// A message that is compressed.
pub fn compressed() -> Status {
    let message = "the request is compressed, which dirtyd does not read, because on a Unix \
                   socket it costs more than it saves; switch compression off in the client";
    let details = ErrorDetails::with_error_info("INVALID_REQUEST", DOMAIN, HashMap::new());
    let mut status = Status::with_error_details(Code::Unimplemented, message, details);
    let identity = MetadataValue::from_static("identity");
    status.metadata_mut().insert("grpc-accept-encoding", identity);
    status
}

/// A connection that is not served.
pub fn of_refusal(refusal: &Refusal) -> Status {
    let (code, reason, retry_after) = match refusal {
        Refusal::PeerNotAllowed(_) => (Code::PermissionDenied, "PEER_NOT_ALLOWED", None),
        Refusal::TooManyConnections(_) | Refusal::TooManyOfUser { .. } => {
            (Code::ResourceExhausted, "TOO_MANY_CONNECTIONS", Some(Duration::from_secs(1)))
        }
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    if retry_after.is_some() {
        details.set_retry_info(retry_after);
    }
    Status::with_error_details(code, refusal.to_string(), details)
}

/// A peer that may not do what it asked for.
pub fn of_denied(denied: &Denied) -> Status {
    let (reason, metadata) = match denied {
        Denied::App { app, .. } => ("APP_NOT_ALLOWED", ("app", app)),
        Denied::NotAnOperator { method, .. } => ("NOT_AN_OPERATOR", ("method", method)),
    };
    let metadata = HashMap::from([(metadata.0.to_owned(), metadata.1.clone())]);
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(Code::PermissionDenied, denied.to_string(), details)
}

/// A page that may not call.
pub fn of_origin(not_allowed: &NotAllowed) -> Status {
    let details = ErrorDetails::with_error_info("ORIGIN_NOT_ALLOWED", DOMAIN, HashMap::new());
    Status::with_error_details(Code::PermissionDenied, not_allowed.to_string(), details)
}

/// The pool has ended.
pub fn draining() -> Status {
    of_call(CallError::Draining, None, &CallFacts::default())
}
