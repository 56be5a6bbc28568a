//! An error as HTTP with JSON says it: the status, and an object in the shape of the
//! Connect protocol, with what its details say beside them in plain words.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::StatusCode;
use prost::Message as _;
use serde_json::{Value as Json, json};
use tonic::{Code, Status};
use tonic_types::{StatusExt as _, pb};

/// An error as an object of JSON, in the order in which a person reads it.
#[derive(Debug, serde::Serialize)]
pub struct HttpError {
    code: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Json>,
}

impl HttpError {
    /// The error.
    pub fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let retry_after = details.retry_info().and_then(|info| info.retry_delay);
        Self {
            code: name(status.code()),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            retry_after: retry_after.map(|delay| delay.as_secs_f64()),
            traceback: details.debug_info().map(|debug| debug.stack_entries.join("\n")),
            details: encoded(status.details()),
        }
    }

    /// Whether it is none.
    pub fn is_ok(status: &Status) -> bool {
        status.code() == Code::Ok
    }

    /// The error as the Connect protocol has it, and nothing else.
    pub fn of_connect(status: &Status) -> Self {
        let plain = Self::plain(name(status.code()), "", status.message().to_owned());
        Self { details: encoded(status.details()), ..plain }
    }

    /// An error without details.
    pub fn plain(code: &'static str, reason: &str, message: String) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
            message,
            metadata: BTreeMap::new(),
            retry_after: None,
            traceback: None,
            details: Vec::new(),
        }
    }

    /// After how many seconds to try again.
    pub fn retry_after(&self) -> Option<u64> {
        Some(self.retry_after?.ceil().max(1.0) as u64)
    }

    /// The object as text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The details as Connect carries them.
fn encoded(details: &[u8]) -> Vec<Json> {
    let status = pb::Status::decode(details).unwrap_or_default();
    let detail = |detail: &prost_types::Any| {
        let kind = detail.type_url.rsplit('/').next().unwrap_or_default();
        json!({ "type": kind, "value": STANDARD_NO_PAD.encode(&detail.value) })
    };
    status.details.iter().map(detail).collect()
}

/// A code as Connect spells it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok | Code::Unknown => "unknown",
        Code::Cancelled => "canceled",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

/// The status of HTTP: that of Connect for the code, but where HTTP has a better one for
/// the reason.
pub fn http_of(status: &Status) -> StatusCode {
    let details = status.get_error_details();
    match details.error_info().map_or("", |info| info.reason.as_str()) {
        "ACTION_NOT_FOUND" => return StatusCode::NOT_FOUND,
        "ACTION_STREAMS" => return StatusCode::NOT_ACCEPTABLE,
        "MESSAGE_TOO_LARGE" => return StatusCode::PAYLOAD_TOO_LARGE,
        "REQUEST_TIMEOUT" => return StatusCode::REQUEST_TIMEOUT,
        "WORKER_CRASHED" => return StatusCode::BAD_GATEWAY,
        _ => {}
    }
    http_of_code(status)
}

/// The status of HTTP that Connect has for the code.
pub fn http_of_code(status: &Status) -> StatusCode {
    match status.code() {
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::CallFacts,
        call::{CallError, QueueBound},
        server::status::of_call,
    };

    #[test]
    fn an_error_has_its_status_and_its_details_in_words() {
        let facts = CallFacts { app: "a:A".into(), action: "b".into(), ..CallFacts::default() };
        let full = CallError::QueueFull {
            app: "a:A".into(),
            bound: QueueBound::Calls(7),
            retry_after: std::time::Duration::from_millis(2500),
        };
        let status = of_call(full, None, &facts);
        assert_eq!(http_of(&status), StatusCode::TOO_MANY_REQUESTS);
        let error = HttpError::of(&status);
        assert_eq!(error.retry_after(), Some(3));
        let start = r#"{"code":"resource_exhausted","reason":"QUEUE_FULL","message":"the queue of app `a:A`"#;
        assert!(error.text().starts_with(start), "{}", error.text());
        let object: Json = serde_json::from_str(&error.text()).expect("JSON");
        let told = (&object["metadata"]["app"], &object["retry_after"]);
        assert_eq!(told, (&json!("a:A"), &json!(2.5)));
        assert_eq!(object["details"][0]["type"], "google.rpc.RetryInfo");
        let message = "no action".to_owned();
        let status = of_call(CallError::ActionNotFound { message }, None, &facts);
        assert_eq!(http_of(&status), StatusCode::NOT_FOUND);
    }
}
