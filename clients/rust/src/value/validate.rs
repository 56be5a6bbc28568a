//! What the contract asks of a value beyond its shape as a message.

use super::{Tensor, Value};

/// How deep lists and maps may nest, so that every decoder's limit is kept.
pub(super) const MAX_DEPTH: usize = 32;

/// A value that the contract does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// Lists and maps nest too deep.
    #[error("the value nests more than {MAX_DEPTH} levels of lists and maps")]
    TooDeep,
    /// The dtype is not in the contract.
    #[error(
        "the dtype {0:?} is not one of bool, int8 to uint64, float16 to float64, complex64, complex128"
    )]
    Dtype(String),
    /// The data of a tensor is not what dtype and shape say.
    #[error("a tensor of {dtype} with shape {shape:?} cannot have {bytes} bytes of data")]
    Size {
        /// The type of an element.
        dtype: String,
        /// The dimensions.
        shape: Vec<i64>,
        /// The length of its data.
        bytes: usize,
    },
}

impl Value {
    /// Checks nesting and tensors.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidValue> {
        self.validate_at(0)
    }

    fn validate_at(&self, depth: usize) -> Result<(), InvalidValue> {
        match self {
            Self::List(_) | Self::Map(_) if depth == MAX_DEPTH => Err(InvalidValue::TooDeep),
            Self::List(values) => values.iter().try_for_each(|value| value.validate_at(depth + 1)),
            Self::Map(map) => map.values().try_for_each(|value| value.validate_at(depth + 1)),
            Self::Tensor(tensor) => tensor.validate(),
            _ => Ok(()),
        }
    }
}

impl Tensor {
    fn validate(&self) -> Result<(), InvalidValue> {
        let Some(size) = self.element_size() else {
            return Err(InvalidValue::Dtype(self.dtype.clone()));
        };
        let count = (self.shape.iter())
            .try_fold(size, |product, length| product.checked_mul(usize::try_from(*length).ok()?));
        if count == Some(self.data.len()) {
            return Ok(());
        }
        let (dtype, shape) = (self.dtype.clone(), self.shape.clone());
        Err(InvalidValue::Size { dtype, shape, bytes: self.data.len() })
    }

    /// The bytes of one element; `None` for a dtype that the contract lacks.
    pub fn element_size(&self) -> Option<usize> {
        Some(match self.dtype.as_str() {
            "bool" | "int8" | "uint8" => 1,
            "int16" | "uint16" | "float16" => 2,
            "int32" | "uint32" | "float32" => 4,
            "int64" | "uint64" | "float64" | "complex64" => 8,
            "complex128" => 16,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn tensor(dtype: &str, shape: &[i64], bytes: usize) -> Result<(), InvalidValue> {
        let data = Bytes::from(vec![0; bytes]);
        Value::Tensor(Tensor { dtype: dtype.into(), shape: shape.into(), data }).validate()
    }

    #[test]
    fn tensors_have_as_many_bytes_as_they_say() {
        assert_eq!(tensor("float32", &[2, 3], 24), Ok(()));
        assert_eq!(tensor("complex128", &[], 16), Ok(()));
        assert_eq!(tensor("int8", &[0, 7], 0), Ok(()));
        for (shape, bytes) in [(&[2, 3][..], 23), (&[-1], 4), (&[i64::MAX, i64::MAX], 4)] {
            assert!(matches!(tensor("float32", shape, bytes), Err(InvalidValue::Size { .. })));
        }
        assert!(matches!(tensor("object", &[1], 8), Err(InvalidValue::Dtype(_))));
    }

    #[test]
    fn lists_nest_32_levels_deep() {
        let nest = |depth| (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        assert_eq!(nest(32).validate(), Ok(()));
        assert_eq!(nest(33).validate(), Err(InvalidValue::TooDeep));
    }
}
