//! Durations, sizes and file modes as people write them: `300s`, `1m30s`,
//! `64MiB`, `0660`; plain numbers are seconds and bytes.

use std::{borrow::Cow, time::Duration};

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::value::{Value, expected, scalar};

/// The longest duration that the configuration accepts: ten years.
const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// A kibibyte in bytes.
pub const KIB: u64 = 1024;
/// A mebibyte in bytes.
pub const MIB: u64 = 1024 * KIB;

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

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// So many seconds.
    pub const fn of(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Value for Seconds {
    const KIND: &'static str = "a duration such as \"300s\", or seconds";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let Some(text) = scalar(value) else { return expected(Self::KIND, value) };
        parse_duration(&text).map(Self)
    }

    fn toml(&self) -> toml::Value {
        // Hours and less are what people write; humantime has days and months, too.
        let seconds = self.0.as_secs();
        let text = match (self.0.subsec_nanos(), seconds) {
            (0, ..600) => format!("{seconds}s"),
            _ => humantime::format_duration(self.0).to_string().replace(' ', ""),
        };
        toml::Value::String(text)
    }
}

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "minimum": 0 })
    }
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Size(pub u64);

impl Value for Size {
    const KIND: &'static str = "a size such as \"64MiB\", or bytes";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let Some(text) = scalar(value) else { return expected(Self::KIND, value) };
        parse_size(&text).map(Self)
    }

    fn toml(&self) -> toml::Value {
        let units = [(MIB * MIB, "TiB"), (KIB * MIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")];
        let whole = units.into_iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit));
        match (whole, i64::try_from(self.0)) {
            (Some((unit, name)), _) => toml::Value::String(format!("{}{name}", self.0 / unit)),
            (None, Ok(bytes)) => toml::Value::Integer(bytes),
            (None, Err(_)) => toml::Value::String(self.0.to_string()),
        }
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"], "minimum": 0 })
    }
}

/// A part of something, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Part(pub f64);

impl Value for Part {
    const KIND: &'static str = "a number from 0.0 to 1.0";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let part = match value {
            DeValue::String(_) => None,
            number => scalar(number).and_then(|text| text.parse().ok()),
        };
        let part = part.filter(|part| (0.0..=1.0).contains(part));
        part.map_or_else(|| expected(Self::KIND, value), |part| Ok(Self(part)))
    }

    fn toml(&self) -> toml::Value {
        toml::Value::Float(self.0)
    }
}

impl JsonSchema for Part {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// A file mode: an octal string such as `"0660"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Mode(pub u32);

impl Value for Mode {
    const KIND: &'static str = "a file mode such as \"0660\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let mode = value.as_str().and_then(|text| u32::from_str_radix(text, 8).ok());
        let mode = mode.filter(|mode| *mode <= 0o777);
        mode.map_or_else(|| expected(Self::KIND, value), |mode| Ok(Self(mode)))
    }

    fn toml(&self) -> toml::Value {
        toml::Value::String(format!("{:04o}", self.0))
    }
}

impl JsonSchema for Mode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "mode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-7]{1,4}$" })
    }
}
