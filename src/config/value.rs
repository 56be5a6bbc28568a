//! The types of the keys' values: how a value is read, written and described.

use std::{borrow::Cow, collections::BTreeMap, fmt, path::PathBuf};

use schemars::JsonSchema;
use toml::de::DeValue;

/// A type of values that a key can have. Reading what [`toml`](Value::toml)
/// returns results in an equal value.
pub trait Value: Clone + PartialEq + PartialOrd + fmt::Debug + JsonSchema {
    /// What a reader should write, such as "a duration"; with its unit.
    const KIND: &'static str;

    /// Reads a value.
    ///
    /// # Errors
    /// What was found and what was expected, to stand after the key's name.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;

    /// The value as a person would write it.
    fn toml(&self) -> toml::Value;
}

/// The error of a value that has another type than `kind`.
pub fn expected<T>(kind: &str, found: &DeValue<'_>) -> Result<T, String> {
    let found = match found {
        DeValue::String(text) => format!("the string {text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    Err(format!("it is {found}, but should be {kind}"))
}

/// The text of a string or a number.
pub fn scalar<'a>(value: &'a DeValue<'_>) -> Option<Cow<'a, str>> {
    match value {
        DeValue::String(text) => Some(text.as_ref().into()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().into()),
        DeValue::Integer(_) => whole(value).map(|number| number.to_string().into()),
        DeValue::Float(number) => Some(number.as_str().into()),
        _ => None,
    }
}

impl Value for String {
    const KIND: &'static str = "a string";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().map_or_else(|| expected(Self::KIND, value), |text| Ok(text.to_owned()))
    }

    fn toml(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Value for PathBuf {
    const KIND: &'static str = "a path";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_str() {
            Some("") => Err("it is empty, but should be a path".to_owned()),
            Some(text) if text.contains('\0') => Err("it has a NUL byte".to_owned()),
            Some(text) => Ok(Self::from(text)),
            None => expected(Self::KIND, value),
        }
    }

    fn toml(&self) -> toml::Value {
        toml::Value::String(self.to_string_lossy().into_owned())
    }
}

impl Value for bool {
    const KIND: &'static str = "`true` or `false`";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().map_or_else(|| expected(Self::KIND, value), Ok)
    }

    fn toml(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

/// Reads a whole number of the size that TOML guarantees.
fn whole(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

impl Value for u32 {
    const KIND: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let read = whole(value).and_then(|number| Self::try_from(number).ok());
        read.map_or_else(|| expected("a whole number up to 4294967295", value), Ok)
    }

    fn toml(&self) -> toml::Value {
        toml::Value::Integer(i64::from(*self))
    }
}

impl Value for u64 {
    const KIND: &'static str = "a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let read = whole(value).and_then(|number| Self::try_from(number).ok());
        read.map_or_else(|| expected("a whole number up to 2^63 - 1", value), Ok)
    }

    fn toml(&self) -> toml::Value {
        toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

/// Types that a list may hold.
pub trait Item: Value {
    /// What the list is called.
    const LIST: &'static str;
}

impl Item for String {
    const LIST: &'static str = "a list of strings";
}

impl Item for u32 {
    const LIST: &'static str = "a list of whole numbers";
}

impl<T: Item> Value for Vec<T> {
    const KIND: &'static str = T::LIST;

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let Some(items) = value.as_array() else { return expected(Self::KIND, value) };
        let read = |(index, item): (usize, &toml::Spanned<DeValue<'_>>)| {
            T::read(item.get_ref()).map_err(|error| format!("item {}: {error}", index + 1))
        };
        items.iter().enumerate().map(read).collect()
    }

    fn toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(Value::toml).collect())
    }
}

impl Value for BTreeMap<String, String> {
    const KIND: &'static str = "a table of strings";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let Some(table) = value.as_table() else { return expected(Self::KIND, value) };
        let read = |(name, item): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
            let name: &Cow<'_, str> = name.get_ref();
            let text = String::read(item.get_ref()).map_err(|error| format!("{name}: {error}"))?;
            Ok((name.clone().into_owned(), text))
        };
        table.iter().map(read).collect()
    }

    fn toml(&self) -> toml::Value {
        let entries = self.iter().map(|(name, text)| (name.clone(), text.toml()));
        toml::Value::Table(entries.collect())
    }
}

/// One of a few words.
pub trait Choice: Copy + PartialEq + PartialOrd + fmt::Debug + 'static {
    /// The words in the order of the pages.
    const WORDS: &'static [(&'static str, Self)];
    /// The words as a sentence has them: `"text"` or `"json"`.
    const LIST: &'static str;
}

/// Makes a [`Choice`] a [`Value`].
macro_rules! choice {
    ($type:ident: $list:literal, $($word:literal => $variant:ident),+) => {
        impl $crate::config::value::Choice for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
            const LIST: &'static str = $list;
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "enum": [$($word),+] })
            }
        }
    };
}
pub(super) use choice;

impl<T: Choice + JsonSchema> Value for T {
    const KIND: &'static str = T::LIST;

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let known = Self::WORDS.iter().find(|(word, _)| value.as_str() == Some(word));
        known.map_or_else(|| expected(Self::LIST, value), |(_, choice)| Ok(*choice))
    }

    fn toml(&self) -> toml::Value {
        let word = Self::WORDS.iter().find(|(_, choice)| choice == self);
        toml::Value::String(word.map_or("", |(word, _)| *word).to_owned())
    }
}
