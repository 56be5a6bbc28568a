//! Native values: what callers send, actions get, and back. The client and the
//! worker SDK share them. A leaf.

mod arguments;
mod convert;
mod elements;
#[cfg(feature = "json")]
pub mod json;
mod validate;
mod wire;

use std::collections::BTreeMap;

use bytes::Bytes;

pub use arguments::{Args, ArgumentError};
pub use convert::WrongKind;
pub use elements::{Element, WrongDtype};
pub use validate::InvalidValue;
#[cfg(feature = "json")]
use validate::MAX_DEPTH;
pub use wire::ValueError;

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

/// An array of numbers; little-endian, C order. [`Tensor::new`] makes one of native
/// numbers, [`Tensor::elements`] gives them back.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The type of an element, as numpy names it.
    pub dtype: String,
    /// The length of each dimension, outermost first.
    pub shape: Vec<i64>,
    /// The elements.
    pub data: Bytes,
}

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
}
