//! From JSON to the arguments of a call.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{JsonError, raw, read::value};
use crate::value::{Args, Value};

/// What JSON takes for white space.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// Reads the payload of a request: nothing, a list, or an object with `args` and `kwargs`.
///
/// # Errors
/// It is anything else, or holds what no value is.
pub fn read_args(payload: &[u8]) -> Result<Args, JsonError> {
    let text = std::str::from_utf8(payload)
        .map_err(|error| JsonError::Content(format!("the text is not UTF-8: {error}")))?;
    if text.trim_matches(WHITE_SPACE).is_empty() {
        return Ok(Args::none());
    }
    let whole = raw::whole(text)?;
    let Some(parts) = raw::object(whole)? else {
        let what = "arguments are a list, or an object with `args` and `kwargs`";
        return Ok(Args { args: list(whole, what)?, kwargs: BTreeMap::new() });
    };
    let mut args = Args::none();
    for (key, part) in parts {
        match key.as_str() {
            "args" => args.args = list(part, "`args` is not a list")?,
            "kwargs" => args.kwargs = map(part)?,
            _ => {
                let why = format!("{key:?} is not a key of a request; `args` and `kwargs` are");
                return Err(JsonError::Content(why));
            }
        }
    }
    Ok(args)
}

fn list(json: &RawValue, otherwise: &str) -> Result<Vec<Value>, JsonError> {
    let items = raw::list(json).ok_or_else(|| JsonError::content(otherwise))?;
    items.into_iter().map(value).collect()
}

/// The entries of an object; one with a single `$` key is no exception.
fn map(json: &RawValue) -> Result<BTreeMap<String, Value>, JsonError> {
    let entries =
        raw::object(json)?.ok_or_else(|| JsonError::content("`kwargs` is not an object"))?;
    entries.into_iter().map(|(key, item)| Ok((key, value(item)?))).collect()
}
