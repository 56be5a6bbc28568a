//! Values as plain JSON. What JSON lacks is an object with one `$` key:
//! bytes `{"$bytes": "base64"}`, numbers that are not finite `{"$double": "NaN"}`,
//! arrays `{"$tensor": {"dtype": ..., "shape": [...], "values": [...]}}`.

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use dirtyd_client::Value;
use serde_json::{Map, Number, Value as Json, json};

use super::tensor;
use crate::printable::is_hazard;

/// Reads one JSON value.
///
/// # Errors
/// The text is not JSON, or a number is out of range; in one sentence.
pub fn parse(text: &str) -> anyhow::Result<Value> {
    let json = serde_json::from_str(text).map_err(|error| match is_like_json(text) {
        true => anyhow!("`{text}` is not JSON: {}", mistake(&error)),
        false => anyhow!("`{text}` is not JSON; write text in double quotes: '\"{text}\"'"),
    })?;
    value(json).map_err(|error| anyhow!("`{text}` cannot be sent: {error:#}"))
}

/// Whether a text was meant as JSON, and not as a word.
fn is_like_json(text: &str) -> bool {
    text.trim().is_empty() || text.starts_with(|c: char| "[{\"-".contains(c) || c.is_ascii_digit())
}

/// What is wrong with JSON, and where.
fn mistake(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let what = text.trim_end_matches(&format!(" at line {line} column {column}"));
    let what = what.replace("EOF while parsing", "it ends within");
    match line {
        1 => format!("{what}, at column {column}"),
        line => format!("{what}, at line {line}, column {column}"),
    }
}

/// Writes a value on one line.
pub fn render(value: &Value) -> String {
    line(&json_of(value))
}

/// JSON on one line. What a terminal would obey is written as JSON's own escapes,
/// which mean the same.
pub fn line(json: &Json) -> String {
    let text = json.to_string();
    if !text.chars().any(is_hazard) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len() + 8), |mut text, c| {
        match is_hazard(c) {
            true => text += &format!("\\u{:04x}", c as u32),
            false => text.push(c),
        }
        text
    })
}

fn value(json: Json) -> anyhow::Result<Value> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => self::number(&number)?,
        Json::String(text) => Value::String(text),
        Json::Array(items) => {
            Value::List(items.into_iter().map(value).collect::<anyhow::Result<_>>()?)
        }
        Json::Object(entries) => object(entries)?,
    })
}

fn number(number: &Number) -> anyhow::Result<Value> {
    let text = number.to_string();
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        let integer = text.parse().map_err(|_| {
            anyhow::anyhow!("{text} does not fit into 64 bits; send it as text or as a double")
        })?;
        return Ok(Value::Int(integer));
    }
    let double: f64 = text.parse().with_context(|| format!("{text} is not a number"))?;
    if !double.is_finite() {
        bail!("{text} does not fit into a double");
    }
    Ok(Value::Double(double))
}

fn object(entries: Map<String, Json>) -> anyhow::Result<Value> {
    let mut keys = entries.iter();
    if let (Some((key, inner)), None) = (keys.next(), keys.next()) {
        match (key.as_str(), inner) {
            ("$bytes", Json::String(text)) => {
                let bytes = STANDARD.decode(text).context("$bytes: not base64")?;
                return Ok(Value::Bytes(bytes.into()));
            }
            ("$double", Json::String(text)) => {
                let double = text.parse().with_context(|| format!("$double: `{text}`"))?;
                return Ok(Value::Double(double));
            }
            ("$tensor", inner) => return Ok(Value::Tensor(tensor::from_json(inner)?)),
            _ => {}
        }
    }
    let entries = entries.into_iter().map(|(key, inner)| Ok((key, value(inner)?)));
    Ok(Value::Map(entries.collect::<anyhow::Result<_>>()?))
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Double(value) => double(*value),
        Value::String(value) => json!(value),
        Value::Bytes(value) => json!({ "$bytes": STANDARD.encode(value) }),
        Value::List(values) => values.iter().map(json_of).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
        }
        Value::Tensor(value) => json!({ "$tensor": tensor::to_json(value) }),
    }
}

/// A double as JSON; one that is not finite has no number there.
pub fn double(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None => json!({ "$double": value.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_there_and_back() {
        for text in [
            "null",
            "true",
            "1",
            "-9223372036854775808",
            "9223372036854775807",
            "1.5",
            "1.0",
            "\"ü\\u0000\"",
            "[1,[2]]",
            "{\"a\":{\"b\":null}}",
            "{\"$bytes\":\"AP8=\"}",
            "{\"$double\":\"NaN\"}",
            "{\"$double\":\"-inf\"}",
        ] {
            assert_eq!(render(&parse(text).expect(text)), text);
        }
        assert_eq!(parse("1").expect("int"), Value::Int(1));
        assert_eq!(parse("1.0").expect("double"), Value::Double(1.0));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        assert!(
            format!("{:#}", parse("9223372036854775808").expect_err("int")).contains("64 bits")
        );
        for (text, said) in [
            ("hello", "`hello` is not JSON; write text in double quotes: '\"hello\"'"),
            ("{\"a\":}", "`{\"a\":}` is not JSON: expected value, at column 6"),
            ("[1,", "`[1,` is not JSON: it ends within a value, at column 3"),
            ("1e999", "`1e999` cannot be sent: 1e+999 does not fit into a double"),
        ] {
            assert_eq!(format!("{:#}", parse(text).expect_err(text)), said);
        }
        assert!(parse("1e999").is_err());
        assert!(parse("hello").is_err());
        assert!(parse("{\"$bytes\":\"?\"}").is_err());
    }
}
