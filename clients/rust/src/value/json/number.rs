//! Numbers as they are written.

use serde_json::value::RawValue;

use super::{JsonError, raw};
use crate::value::Value;

/// Whether a number has neither fraction nor exponent.
pub fn is_integer(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// An int or a double.
pub fn number(text: &str) -> Result<Value, JsonError> {
    if is_integer(text) {
        let integer = text.parse().map_err(|_| {
            JsonError::Content(format!(
                "{text} does not fit into 64 bits; send it as text or as a double"
            ))
        })?;
        return Ok(Value::Int(integer));
    }
    match text.parse::<f64>() {
        Ok(double) if double.is_finite() => Ok(Value::Double(double)),
        _ => Err(JsonError::Content(format!("{text} does not fit into a double"))),
    }
}

/// The double that `{"$double": ...}` holds.
pub fn special(inner: &RawValue) -> Result<f64, JsonError> {
    match raw::string(inner)?.as_deref() {
        Some("NaN") => Ok(f64::NAN),
        Some("inf") => Ok(f64::INFINITY),
        Some("-inf") => Ok(f64::NEG_INFINITY),
        _ => Err(JsonError::Content(format!(
            "$double: {} is not \"NaN\", \"inf\" or \"-inf\"",
            inner.get()
        ))),
    }
}

/// The name of a double that is not finite.
pub fn special_name(double: f64) -> &'static str {
    match double {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "NaN",
    }
}
