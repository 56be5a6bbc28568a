//! A piece of JSON as it is written, one level at a time.
//!
//! A number keeps its text, so that `1` and `1.0` differ and no digit is lost.
//! serde_json can keep it only as the text of a whole value, or with its feature
//! `arbitrary_precision`, which this crate cannot turn on in a program of others.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::JsonError;

/// Checks the syntax of a text that holds one value.
pub fn whole(text: &str) -> Result<&RawValue, JsonError> {
    serde_json::from_str(text).map_err(JsonError::Syntax)
}

/// The elements, if it is a list.
pub fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(raw.get()).ok()
}

/// The entries, if it is an object; of two equal keys the last one counts.
pub fn object(raw: &RawValue) -> Result<Option<BTreeMap<String, &RawValue>>, JsonError> {
    match raw.get().starts_with('{') {
        true => serde_json::from_str(raw.get()).map(Some).map_err(|_| lone_surrogate()),
        false => Ok(None),
    }
}

/// The text, if it is a string.
pub fn string(raw: &RawValue) -> Result<Option<String>, JsonError> {
    match raw.get().starts_with('"') {
        true => serde_json::from_str(raw.get()).map(Some).map_err(|_| lone_surrogate()),
        false => Ok(None),
    }
}

/// What alone can be wrong with a string whose syntax was checked.
fn lone_surrogate() -> JsonError {
    JsonError::content("a string holds a lone surrogate")
}
