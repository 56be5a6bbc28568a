//! Values on the command line, as JSON.

use anyhow::anyhow;
use dirtyd_client::{
    Value,
    json::{self, JsonError},
};
use serde_json::Value as Json;

use crate::printable::is_hazard;

/// Reads one JSON value.
///
/// # Errors
/// The text is not JSON, or a number is out of range; in one sentence.
pub fn parse(text: &str) -> anyhow::Result<Value> {
    json::read(text).map_err(|error| match error {
        JsonError::Syntax(error) if is_like_json(text) => {
            // This reader tells one mistake from another better.
            let error = serde_json::from_str::<Json>(text).err().unwrap_or(error);
            anyhow!("`{text}` is not JSON: {}", mistake(&error))
        }
        JsonError::Syntax(_) => {
            anyhow!("`{text}` is not JSON; write text in double quotes: '\"{text}\"'")
        }
        JsonError::Content(error) => anyhow!("`{text}` cannot be sent: {error}"),
    })
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
    let mut text = Vec::new();
    json::write(value, &mut text).expect("a Vec takes all");
    escaped(String::from_utf8(text).expect("JSON is UTF-8"))
}

/// JSON on one line.
pub fn line(json: &Json) -> String {
    escaped(json.to_string())
}

/// What a terminal would obey is written as JSON's own escapes, which mean the same.
fn escaped(text: String) -> String {
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
            ("[1,]", "`[1,]` is not JSON: trailing comma, at column 4"),
            ("1e999", "`1e999` cannot be sent: 1e999 does not fit into a double"),
        ] {
            assert_eq!(format!("{:#}", parse(text).expect_err(text)), said);
        }
        assert!(parse("1e999").is_err());
        assert!(parse("hello").is_err());
        assert!(parse("{\"$bytes\":\"?\"}").is_err());
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let text = render(&Value::from("\u{9b}31m\u{202e}"));
        assert_eq!(text, "\"\\u009b31m\\u202e\"");
        assert_eq!(parse(&text).expect("the same"), Value::from("\u{9b}31m\u{202e}"));
    }
}
