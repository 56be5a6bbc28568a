//! Values as messages of `dirty.v1`.

use super::{Tensor, Value};
use crate::proto::v1::{self, value::Kind};

/// A message that holds no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message holds a Value without a kind; the other side is at fault")]
pub struct ValueError;

impl Value {
    /// The value of a field that must be set.
    #[cfg(any(feature = "client", feature = "worker", test))]
    pub(crate) fn read(value: Option<v1::Value>) -> Result<Self, ValueError> {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

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
