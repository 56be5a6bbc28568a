//! From a value to JSON on one line.

use std::io::{self, Write};

use base64::{display::Base64Display, engine::general_purpose::STANDARD};

use super::{
    JsonError,
    element::double,
    tensor,
    text::{sequence, string},
};
use crate::value::Value;

/// The keys that alone in an object stand for what JSON lacks.
const MARKS: [&str; 3] = ["$bytes", "$double", "$tensor"];

/// Checks that a valid value has a form in JSON that means the same.
///
/// # Errors
/// The first part that has none.
pub fn check(value: &Value) -> Result<(), JsonError> {
    match value {
        Value::List(values) => values.iter().try_for_each(check),
        Value::Map(entries) => {
            let mut keys = entries.keys();
            if let (Some(key), None) = (keys.next(), keys.next())
                && MARKS.contains(&key.as_str())
            {
                let why = format!("a map with the single key `{key}` has another meaning in JSON");
                return Err(JsonError::Content(why));
            }
            entries.values().try_for_each(check)
        }
        Value::Tensor(tensor) => tensor::dimensions(tensor).map(drop).ok_or_else(|| {
            let shape = &tensor.shape;
            JsonError::Content(format!("a tensor of shape {shape:?} has no form as lists in JSON"))
        }),
        _ => Ok(()),
    }
}

/// Writes a value. What `check` refuses is written too, for people: the lists of such a tensor
/// are null.
///
/// # Errors
/// Those of the writer.
pub fn write(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    match value {
        Value::Null => out.write_all(b"null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::Double(value) => double(*value, out),
        Value::String(value) => string(value, out),
        Value::Bytes(value) => {
            write!(out, "{{\"$bytes\":\"{}\"}}", Base64Display::new(value, &STANDARD))
        }
        Value::List(values) => sequence(b"[]", values, out, |value, out| write(value, out)),
        Value::Map(entries) => sequence(b"{}", entries, out, |(key, value), out| {
            string(key, out)?;
            out.write_all(b":")?;
            write(value, out)
        }),
        Value::Tensor(value) => {
            out.write_all(b"{\"$tensor\":")?;
            tensor::write(value, out)?;
            out.write_all(b"}")
        }
    }
}
