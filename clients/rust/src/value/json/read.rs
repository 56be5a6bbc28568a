//! From JSON to a value.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;

use super::{
    JsonError,
    number::{number, special},
    raw, tensor,
};
use crate::value::{InvalidValue, MAX_DEPTH, Value};

/// Reads one value.
///
/// # Errors
/// The text is not JSON, or says what no value is.
pub fn read(text: &str) -> Result<Value, JsonError> {
    value(raw::whole(text)?)
}

/// Reads a piece of JSON whose syntax was checked.
pub fn value(json: &RawValue) -> Result<Value, JsonError> {
    value_at(json, 0)
}

fn value_at(json: &RawValue, depth: usize) -> Result<Value, JsonError> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'{') => object_at(json, depth),
        Some(b'[') => {
            let inner = deeper(depth)?;
            let items = raw::list(json).unwrap_or_default();
            let values = items.into_iter().map(|item| value_at(item, inner));
            Ok(Value::List(values.collect::<Result<_, _>>()?))
        }
        Some(b'"') => Ok(Value::String(raw::string(json)?.unwrap_or_default())),
        Some(b'n') => Ok(Value::Null),
        Some(b't' | b'f') => Ok(Value::Bool(text == "true")),
        _ => number(text),
    }
}

fn object_at(json: &RawValue, depth: usize) -> Result<Value, JsonError> {
    let entries = raw::object(json)?.unwrap_or_default();
    if let Some(value) = marked(&entries)? {
        return Ok(value);
    }
    let inner = deeper(depth)?;
    let values = entries.into_iter().map(|(key, item)| Ok((key, value_at(item, inner)?)));
    Ok(Value::Map(values.collect::<Result<_, JsonError>>()?))
}

/// What JSON lacks: the value of an object with one key that says so.
fn marked(entries: &BTreeMap<String, &RawValue>) -> Result<Option<Value>, JsonError> {
    let mut keys = entries.iter();
    let (Some((key, inner)), None) = (keys.next(), keys.next()) else { return Ok(None) };
    Ok(Some(match key.as_str() {
        "$bytes" => Value::Bytes(bytes(inner)?.into()),
        "$double" => Value::Double(special(inner)?),
        "$tensor" => Value::Tensor(tensor::read(inner)?),
        _ => return Ok(None),
    }))
}

fn bytes(inner: &RawValue) -> Result<Vec<u8>, JsonError> {
    let text = raw::string(inner)?.ok_or_else(|| JsonError::content("$bytes: not base64"))?;
    STANDARD
        .decode(text)
        .map_err(|error| JsonError::Content(format!("$bytes: not base64: {error}")))
}

fn deeper(depth: usize) -> Result<usize, JsonError> {
    if depth == MAX_DEPTH { Err(InvalidValue::TooDeep.into()) } else { Ok(depth + 1) }
}
