//! Native types to values, and back.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Tensor, Value};

/// A value of another kind than the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got {found}")]
pub struct WrongKind {
    /// What was asked for.
    pub expected: &'static str,
    /// What the value is.
    pub found: &'static str,
}

/// One native type per kind, there and back.
macro_rules! native {
    ($($kind:ident: $native:ty, $name:literal;)*) => {
        $(
            impl From<$native> for Value {
                fn from(value: $native) -> Self {
                    Self::$kind(value)
                }
            }

            impl TryFrom<Value> for $native {
                type Error = WrongKind;

                fn try_from(value: Value) -> Result<Self, WrongKind> {
                    match value {
                        Value::$kind(value) => Ok(value),
                        other => Err(WrongKind { expected: $name, found: other.kind() }),
                    }
                }
            }
        )*

        impl Value {
            /// The name of its kind, for messages.
            pub fn kind(&self) -> &'static str {
                match self {
                    Self::Null => "null",
                    Self::Double(_) => "a double",
                    Self::List(_) => "a list",
                    $(Self::$kind(_) => $name,)*
                }
            }
        }
    };
}

native! {
    Bool: bool, "a bool";
    Int: i64, "an int";
    String: String, "a string";
    Bytes: Bytes, "bytes";
    Map: BTreeMap<String, Value>, "a map";
    Tensor: Tensor, "a tensor";
}

/// An int is a double too, as in most languages.
impl TryFrom<Value> for f64 {
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        value.as_f64().ok_or(WrongKind { expected: "a double", found: value.kind() })
    }
}

impl TryFrom<Value> for Vec<Value> {
    type Error = WrongKind;

    fn try_from(value: Value) -> Result<Self, WrongKind> {
        match value {
            Value::List(values) => Ok(values),
            other => Err(WrongKind { expected: "a list", found: other.kind() }),
        }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(value))
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<K: Into<String>, T: Into<Value>> FromIterator<(K, T)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}
