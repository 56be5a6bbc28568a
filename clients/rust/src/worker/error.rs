//! How an action fails.

use std::{
    any::type_name, backtrace::Backtrace, error::Error, fmt, fmt::Write as _, panic::Location,
};

use tonic::Code;

use crate::proto::worker::{ErrorKind, Failure};

/// More than this of a message, and of a traceback, helps nobody.
const MAX_MESSAGE: usize = 16 * 1024;
const MAX_TRACEBACK: usize = 64 * 1024;
/// The bytes of all facts. The arbiter passes on still less.
const MAX_FACTS: usize = 16 * 1024;

/// The failure of an action or of an init. `?` makes one of any
/// [`std::error::Error`].
#[derive(Debug, Clone)]
pub struct AppError {
    pub(super) kind: ErrorKind,
    pub(super) failure: Box<Failure>,
}

impl AppError {
    /// An error of the app's own: its type as callers know it, and a
    /// message for people.
    #[track_caller]
    pub fn new(exception_type: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let trace = format!("{exception_type}: {message}\n    at {}\n", Location::caller());
        Self::with_trace(exception_type, message, trace)
    }

    /// The app has no such action.
    pub fn unknown_action(action: &str) -> Self {
        Self::refusal(ErrorKind::ActionNotFound, format!("the app has no action `{action}`"))
    }

    /// The result has no form as a [`Value`](crate::value::Value).
    pub fn not_serializable(message: impl Into<String>) -> Self {
        Self::refusal(ErrorKind::ResultNotSerializable, message.into())
    }

    /// The same, with the gRPC code that the caller sees.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.failure.code = code as i32;
        self
    }

    /// The same, with a fact for the caller's program; it travels with a code.
    /// One that does not fit into 16 KiB with those before it is left out.
    #[must_use]
    pub fn with_fact(mut self, key: &str, value: impl fmt::Display) -> Self {
        let (facts, value) = (&mut self.failure.metadata, value.to_string());
        let taken: usize = facts.iter().map(|(key, value)| key.len() + value.len()).sum();
        if taken + key.len() + value.len() <= MAX_FACTS {
            facts.insert(key.to_owned(), value);
        }
        self
    }

    /// A failure that the runtime states.
    pub(super) fn refusal(kind: ErrorKind, message: String) -> Self {
        let failure = Failure { message: head(message, MAX_MESSAGE), ..Failure::default() };
        Self { kind, failure: Box::new(failure) }
    }

    pub(super) fn with_trace(exception_type: &str, message: String, traceback: String) -> Self {
        let failure = Failure {
            exception_type: exception_type.to_owned(),
            message: head(message, MAX_MESSAGE),
            traceback: head(traceback, MAX_TRACEBACK),
            ..Failure::default()
        };
        Self { kind: ErrorKind::App, failure: Box::new(failure) }
    }
}

/// With the causes, the place of the `?`, and with `RUST_BACKTRACE` the stack.
impl<E: Error> From<E> for AppError {
    #[track_caller]
    fn from(error: E) -> Self {
        let (kind, message) = (type_name::<E>(), error.to_string());
        let mut trace = format!("{kind}: {message}\n    at {}\n", Location::caller());
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = writeln!(trace, "caused by: {error}");
            cause = error.source();
        }
        let stack = Backtrace::capture();
        if stack.status() == std::backtrace::BacktraceStatus::Captured {
            let _ = write!(trace, "{stack}");
        }
        Self::with_trace(kind, message, trace)
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.message)
    }
}

/// The text, cut to a number of bytes.
fn head(mut text: String, limit: usize) -> String {
    text.truncate(text.floor_char_boundary(limit));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no configuration")]
    struct Unconfigured(#[source] std::num::ParseIntError);

    fn fails() -> Result<i64, AppError> {
        Ok("seven".parse().map_err(Unconfigured)?)
    }

    #[test]
    fn errors_keep_their_type_their_causes_and_the_place() {
        let failure = fails().expect_err("seven").failure;
        assert!(failure.exception_type.ends_with("Unconfigured"), "{}", failure.exception_type);
        assert_eq!(failure.message, "no configuration");
        assert!(failure.traceback.contains("caused by: invalid digit"), "{}", failure.traceback);
        assert!(failure.traceback.contains("worker/error.rs:"), "{}", failure.traceback);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let error = AppError::new("Long", "ü".repeat(MAX_MESSAGE));
        assert_eq!(error.failure.message.len(), MAX_MESSAGE);
    }

    #[test]
    fn a_fact_that_is_too_large_is_left_out() {
        let error = AppError::new("E", "e").with_fact("large", "x".repeat(MAX_FACTS));
        let facts = error.with_fact("row", 7).failure.metadata;
        assert_eq!(facts.into_iter().collect::<Vec<_>>(), [("row".to_owned(), "7".to_owned())]);
    }
}
