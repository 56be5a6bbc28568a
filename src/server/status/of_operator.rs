//! Errors of what operators ask for.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{DOMAIN, room};
use crate::{
    config::ConfigError,
    pool::{ReloadError, RestartError, ScaleError},
};

const WORKER_NOT_FOUND: (Code, &str) = (Code::NotFound, "WORKER_NOT_FOUND");
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

/// A worker that is not replaced.
pub fn of_restart(error: &RestartError) -> Status {
    let code_and_reason = match error {
        RestartError::NoSuchWorker { .. } => WORKER_NOT_FOUND,
        RestartError::Booting(_) | RestartError::Leaving(_) | RestartError::TooSoon { .. } => {
            (Code::FailedPrecondition, "WORKER_LEAVING")
        }
        RestartError::Draining => (Code::Unavailable, "DRAINING"),
    };
    status(code_and_reason, &error.to_string())
}

/// A worker that is not there.
pub fn no_worker(id: u64) -> Status {
    let message = format!("there is no worker {id}; `dirtyd status` lists those that there are");
    status(WORKER_NOT_FOUND, &message)
}

/// A call that neither waits nor runs.
pub fn no_call(id: u64) -> Status {
    let message = format!(
        "no call {id} waits or runs; `dirtyd calls` lists those that do, and one that has ended is not listed"
    );
    status((Code::NotFound, "CALL_NOT_FOUND"), &message)
}

/// A configuration that a reload cannot use.
pub fn of_config(error: &ConfigError) -> Status {
    status(RELOAD_FAILED, &error.to_string())
}

fn status((code, reason): (Code, &str), message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, room::message(message), details)
}
