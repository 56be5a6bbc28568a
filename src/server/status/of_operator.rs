//! Errors of what operators ask for.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{DOMAIN, room};
use crate::{
    config::ConfigError,
    pool::{ReloadError, ScaleError},
};

const RELOAD_FAILED: (Code, &str) = (Code::FailedPrecondition, "RELOAD_FAILED");

/// A pool that keeps its size.
pub fn of_scale(error: &ScaleError) -> Status {
    let code_and_reason = match error {
        ScaleError::NoSuchPool { .. } => (Code::NotFound, "POOL_NOT_FOUND"),
        ScaleError::BelowNeed { .. } | ScaleError::TooMany { .. } => {
            (Code::InvalidArgument, "INVALID_REQUEST")
        }
        ScaleError::Draining => (Code::Unavailable, "DRAINING"),
    };
    status(code_and_reason, &error.to_string())
}

/// A reload that was not begun, or was given up.
pub fn of_reload(error: &ReloadError) -> Status {
    let code_and_reason = match error {
        ReloadError::NoSuchPool { .. } => (Code::NotFound, "POOL_NOT_FOUND"),
        ReloadError::Moves { .. } | ReloadError::Busy | ReloadError::GivenUp(_) => RELOAD_FAILED,
        ReloadError::Draining => (Code::Unavailable, "DRAINING"),
    };
    status(code_and_reason, &error.to_string())
}

/// A configuration that a reload cannot use.
pub fn of_config(error: &ConfigError) -> Status {
    status(RELOAD_FAILED, &error.to_string())
}

fn status((code, reason): (Code, &str), message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, room::message(message), details)
}
