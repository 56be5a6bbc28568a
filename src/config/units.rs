//! Durations and sizes as people write them: `300s`, `1m30s`, `64MiB`; plain
//! numbers are seconds and bytes.

use std::{fmt, time::Duration};

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};

/// The longest duration that the configuration accepts: ten years.
const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Reads a duration such as `300s`, `1m30s`, `250ms` or `300` (seconds).
///
/// # Errors
/// A text that says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("`{text}` is not a duration: write it like \"300s\", \"1m30s\" or \"250ms\"");
    let duration = match text.trim().parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| expected())?,
        Err(_) => humantime::parse_duration(text.trim()).map_err(|_| expected())?,
    };
    if duration > MAX_DURATION {
        return Err(format!("`{text}` is longer than ten years"));
    }
    Ok(duration)
}

/// Reads a size in bytes such as `64MiB`, `1GB` or `65536`.
///
/// # Errors
/// A text that says what was expected.
pub fn parse_size(text: &str) -> Result<u64, String> {
    text.trim()
        .parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("`{text}` is not a size: write it like \"64MiB\", \"1GB\" or 65536"))
}

/// A duration in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

/// A size in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// A file mode in the file: an octal string such as `"0660"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a duration such as \"300s\", or seconds";
        deserializer.deserialize_any(Scalar { expected, parse: parse_duration }).map(Seconds)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a size such as \"64MiB\", or bytes";
        deserializer.deserialize_any(Scalar { expected, parse: parse_size }).map(Size)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777).map(Mode).ok_or_else(
            || de::Error::custom(format!("`{text}` is not a file mode such as \"0660\"")),
        )
    }
}

/// Accepts a string or a number and hands either to `parse` as text.
struct Scalar<T> {
    expected: &'static str,
    parse: fn(&str) -> Result<T, String>,
}

impl<T> de::Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}
