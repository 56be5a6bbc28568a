//! Values as plain JSON. What JSON lacks is an object with one `$` key:
//! bytes `{"$bytes": "base64"}`, numbers that are not finite `{"$double": "NaN"}`,
//! arrays `{"$tensor": {"dtype": ..., "shape": [...], "values": [...]}}`.
//!
//! `docs/worker-protocol.md` has the rules.

mod arguments;
mod element;
mod half;
mod number;
mod raw;
mod read;
mod tensor;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use arguments::read_args;
pub use read::read;
pub use write::{check, write};

use super::InvalidValue;

/// Text that holds no value or no arguments, or a value that has no form in JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is not JSON.
    #[error("the text is not JSON: {0}")]
    Syntax(serde_json::Error),
    /// It is JSON, but what it says is wrong; in one sentence.
    #[error("{0}")]
    Content(String),
}

impl JsonError {
    fn content(why: impl Into<String>) -> Self {
        Self::Content(why.into())
    }
}

impl From<InvalidValue> for JsonError {
    fn from(error: InvalidValue) -> Self {
        Self::Content(error.to_string())
    }
}
