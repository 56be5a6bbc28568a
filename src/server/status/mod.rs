//! What gRPC says of an error: the one room that names [`tonic::Code`].
//! docs/errors.md describes it.

mod facts;
mod of_call;
mod of_edge;
mod of_http;
mod of_operator;
mod outcome;
mod room;

pub use of_call::of_call;
pub use of_edge::{
    compressed, draining, head_too_large, invalid_request, no_method, no_room_for_request,
    no_room_for_result, not_grpc, not_in_json, of_denied, of_origin, of_refusal, request_too_large,
    request_too_slow, too_large_for_json,
};
pub use of_http::{HttpError, http_of, http_of_code};
pub use of_operator::{no_call, no_worker, of_config, of_reload, of_restart, of_scale};
pub use outcome::{failed, names};

/// The domain of every ErrorInfo.
const DOMAIN: &str = "dirty.v1";
