//! Tensors as JSON: dtype, shape, and nested lists of numbers.

use std::io::{self, Write};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{
    JsonError, element, raw,
    text::{sequence, string},
};
use crate::value::{InvalidValue, Tensor};

/// The most dimensions that are written or read: as many as numpy has.
const MAX_DIMENSIONS: usize = 64;
/// The most empty lists that are written. Few bytes can state a shape with a great many of them.
const MAX_EMPTY_LISTS: usize = 1 << 16;

/// Writes dtype, shape and nested lists; complex numbers are pairs. The lists are null if the
/// tensor has no `dimensions`.
pub fn write(tensor: &Tensor, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{\"dtype\":")?;
    string(&tensor.dtype, out)?;
    out.write_all(b",\"shape\":")?;
    sequence(b"[]", &tensor.shape, out, |length, out| write!(out, "{length}"))?;
    out.write_all(b",\"values\":")?;
    match dimensions(tensor) {
        Some(shape) => nested(&tensor.dtype, &shape, &tensor.data, out)?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b"}")
}

/// Returns the length of each dimension, unless data and shape disagree or there are too many.
pub fn dimensions(tensor: &Tensor) -> Option<Vec<usize>> {
    let shape: Option<Vec<usize>> = tensor.shape.iter().map(|n| (*n).try_into().ok()).collect();
    let shape = shape.filter(|shape| shape.len() <= MAX_DIMENSIONS)?;
    let mut before_empty = shape.iter().take_while(|n| **n > 0);
    let lists = before_empty.try_fold(1, |product: usize, n| product.checked_mul(*n))?;
    let size = tensor.element_size()?;
    let fits = if shape.contains(&0) {
        lists <= MAX_EMPTY_LISTS && tensor.data.is_empty()
    } else {
        lists.checked_mul(size) == Some(tensor.data.len())
    };
    fits.then_some(shape)
}

fn nested(dtype: &str, shape: &[usize], data: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let Some((count, rest)) = shape.split_first() else {
        return element::write(dtype, data, out);
    };
    let stride = data.len().checked_div(*count).unwrap_or(0);
    sequence(b"[]", 0..*count, out, |index, out| {
        nested(dtype, rest, &data[index * stride..(index + 1) * stride], out)
    })
}

/// Reads `{"dtype", "shape", "values"}`.
///
/// # Errors
/// The object is incomplete, has an unknown dtype or too many dimensions, or values and shape
/// disagree.
pub fn read(json: &RawValue) -> Result<Tensor, JsonError> {
    let parts = raw::object(json)?.unwrap_or_default();
    let dtype = parts.get("dtype").map(|dtype| raw::string(dtype)).transpose()?.flatten();
    let dtype = dtype.ok_or_else(|| JsonError::content("$tensor: `dtype` is missing"))?;
    let shape = (parts.get("shape").and_then(|shape| raw::list(shape)))
        .ok_or_else(|| JsonError::content("$tensor: `shape` is missing"))?;
    if shape.len() > MAX_DIMENSIONS {
        return Err(JsonError::Content(format!(
            "$tensor: `shape` has {} dimensions, the limit is {MAX_DIMENSIONS}",
            shape.len()
        )));
    }
    let shape = (shape.into_iter())
        .map(|length| length.get().parse().ok().filter(|length| *length >= 0))
        .collect::<Option<Vec<i64>>>()
        .ok_or_else(|| JsonError::content("$tensor: `shape` holds counts"))?;
    let mut tensor = Tensor { dtype, shape, data: Bytes::new() };
    if tensor.element_size().is_none() {
        return Err(JsonError::Content(format!("$tensor: {}", InvalidValue::Dtype(tensor.dtype))));
    }
    let mut data = Vec::new();
    fill(&tensor.dtype, &tensor.shape, parts.get("values").copied(), &mut data)?;
    tensor.data = data.into();
    Ok(tensor)
}

fn fill(
    dtype: &str,
    shape: &[i64],
    values: Option<&RawValue>,
    data: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let unlike = || JsonError::content("$tensor: `values` is not nested like `shape`");
    let values = values.ok_or_else(unlike)?;
    let Some((count, rest)) = shape.split_first() else {
        return element::read(dtype, values, data);
    };
    let items = raw::list(values).ok_or_else(unlike)?;
    if items.len() as i64 != *count {
        let found = items.len();
        let why = format!("$tensor: {found} values where `shape` says {count}");
        return Err(JsonError::Content(why));
    }
    items.into_iter().try_for_each(|item| fill(dtype, rest, Some(item), data))
}
