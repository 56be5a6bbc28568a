//! A worker's failures, in the arbiter's words and within its bounds.

use std::collections::HashMap;

use dirtyd_client::proto::worker::{Error, ErrorKind, Failure};

use crate::call::{AppFailure, CallError};

/// The bounds of the worker protocol, in bytes. Runtimes keep them; a worker
/// that does not is cut here, because every caller of an app that does not load
/// gets these texts.
const MAX_MESSAGE: usize = 16 * 1024;
const MAX_TRACEBACK: usize = 64 * 1024;
const MAX_METADATA: usize = 16 * 1024;
/// The longest name that a worker may give: of a type, of an app.
const MAX_NAME: usize = 1024;

/// Why an app could not be loaded, or why its action failed.
pub fn of_app(failure: Failure) -> AppFailure {
    let metadata = failure.metadata;
    let fits = size(&metadata) <= MAX_METADATA;
    AppFailure {
        exception_type: name(failure.exception_type),
        message: head(failure.message, MAX_MESSAGE),
        traceback: tail(failure.traceback, MAX_TRACEBACK),
        code: failure.code,
        metadata: if fits { metadata.into_iter().collect() } else { Default::default() },
    }
}

/// Why a call has no result.
pub fn of_call(error: Error) -> CallError {
    let kind = error.kind();
    let failure = of_app(error.failure.unwrap_or_default());
    let message = failure.message.clone();
    match kind {
        ErrorKind::ActionNotFound => CallError::ActionNotFound { message },
        ErrorKind::ActionStreams => CallError::ActionStreams,
        ErrorKind::ResultNotSerializable => CallError::NotSerializable { message },
        ErrorKind::InvalidRequest => CallError::InvalidRequest { message },
        ErrorKind::MessageTooLarge => CallError::MessageTooLarge { message },
        ErrorKind::Cancelled => CallError::Cancelled,
        ErrorKind::App | ErrorKind::Unspecified => CallError::App(Box::new(failure)),
    }
}

/// A name from a worker, cut to what a text can hold.
pub fn name(text: String) -> String {
    head(text, MAX_NAME)
}

fn size(metadata: &HashMap<String, String>) -> usize {
    metadata.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// The text up to `limit` bytes, cut between characters.
fn head(mut text: String, limit: usize) -> String {
    text.truncate(text.floor_char_boundary(limit));
    text
}

/// The last bytes of a text, up to `limit`: a traceback says most at its end.
fn tail(text: String, limit: usize) -> String {
    const LEFT_OUT: &str = "...\n";
    if text.len() <= limit {
        return text;
    }
    let from = text.ceil_char_boundary(text.len() - limit + LEFT_OUT.len());
    format!("{LEFT_OUT}{}", &text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_the_bounds_of_the_protocol() {
        let long = "ü".repeat(100_000);
        let failure = of_app(Failure {
            exception_type: long.clone(),
            message: long.clone(),
            traceback: format!("{long}x"),
            code: 5,
            metadata: [("key".to_owned(), long)].into(),
        });
        assert_eq!(failure.exception_type.len(), MAX_NAME);
        assert_eq!(failure.message.len(), MAX_MESSAGE);
        assert_eq!(failure.traceback.len(), MAX_TRACEBACK - 1, "cut between characters");
        assert!(failure.traceback.starts_with("...\nü") && failure.traceback.ends_with("üx"));
        assert_eq!((failure.code, failure.metadata.len()), (5, 0));
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let metadata: HashMap<_, _> = [("row".to_owned(), "7".to_owned())].into();
        let failure = Failure { message: "no".into(), metadata, ..Failure::default() };
        let error = Error { kind: ErrorKind::App.into(), failure: Some(failure), call_id: 1 };
        let CallError::App(failure) = of_call(error) else { panic!("of the app") };
        assert_eq!((failure.message.as_str(), failure.metadata["row"].as_str()), ("no", "7"));
    }
}
