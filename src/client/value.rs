//! Native values and their form on the wire.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::proto::v1::{self, value::Kind};

/// An argument, result or chunk.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Bytes),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping.
    Map(BTreeMap<String, Value>),
    /// An array of numbers.
    Tensor(Tensor),
}

/// An array of numbers; little-endian, C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The type of an element, as numpy names it.
    pub dtype: String,
    /// The length of each dimension, outermost first.
    pub shape: Vec<i64>,
    /// The elements.
    pub data: Bytes,
}

/// A message that holds no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message holds a Value without a kind; the other side is at fault")]
pub struct ValueError;

impl Value {
    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is a double or an integer.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Double(value) => Some(*value),
            Self::Int(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The entry of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Map(entries) => entries.get(key),
            _ => None,
        }
    }

    pub(super) fn read(value: Option<v1::Value>) -> Result<Self, ValueError> {
        Self::try_from(value.unwrap_or_default())
    }

    /// Its form on the wire.
    pub fn into_proto(self) -> v1::Value {
        let kind = match self {
            Self::Null => Kind::NullValue(0),
            Self::Bool(value) => Kind::BoolValue(value),
            Self::Int(value) => Kind::IntValue(value),
            Self::Double(value) => Kind::DoubleValue(value),
            Self::String(value) => Kind::StringValue(value),
            Self::Bytes(value) => Kind::BytesValue(value),
            Self::List(values) => Kind::ListValue(v1::ListValue {
                values: values.into_iter().map(Self::into_proto).collect(),
            }),
            Self::Map(entries) => Kind::MapValue(v1::MapValue {
                entries: entries
                    .into_iter()
                    .map(|(key, value)| (key, value.into_proto()))
                    .collect(),
            }),
            Self::Tensor(Tensor { dtype, shape, data }) => {
                Kind::TensorValue(v1::Tensor { dtype, shape, data })
            }
        };
        v1::Value { kind: Some(kind) }
    }
}

impl TryFrom<v1::Value> for Value {
    type Error = ValueError;

    fn try_from(value: v1::Value) -> Result<Self, ValueError> {
        Ok(match value.kind.ok_or(ValueError)? {
            Kind::NullValue(_) => Self::Null,
            Kind::BoolValue(value) => Self::Bool(value),
            Kind::IntValue(value) => Self::Int(value),
            Kind::DoubleValue(value) => Self::Double(value),
            Kind::StringValue(value) => Self::String(value),
            Kind::BytesValue(value) => Self::Bytes(value),
            Kind::ListValue(list) => {
                Self::List(list.values.into_iter().map(Self::try_from).collect::<Result<_, _>>()?)
            }
            Kind::MapValue(map) => Self::Map(
                (map.entries.into_iter())
                    .map(|(key, value)| Ok((key, Self::try_from(value)?)))
                    .collect::<Result<_, _>>()?,
            ),
            Kind::TensorValue(v1::Tensor { dtype, shape, data }) => {
                Self::Tensor(Tensor { dtype, shape, data })
            }
        })
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
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

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(value))
    }
}

impl From<Tensor> for Value {
    fn from(value: Tensor) -> Self {
        Self::Tensor(value)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_goes_there_and_back() {
        let tensor = Tensor {
            dtype: "float32".into(),
            shape: vec![1, 2],
            data: Bytes::from_static(&[0; 8]),
        };
        let all = vec![
            Value::Null,
            Value::from(true),
            Value::from(i64::MIN),
            Value::from(f64::NEG_INFINITY),
            Value::from("ü\u{10FFFF}"),
            Value::from(&b"\x00\xff"[..]),
            Value::from(tensor),
        ];
        let nested: Value = [("list", Value::List(all))].into_iter().collect();
        assert_eq!(Value::try_from(nested.clone().into_proto()), Ok(nested));
        assert_eq!(Value::read(None), Err(ValueError));
    }
}
