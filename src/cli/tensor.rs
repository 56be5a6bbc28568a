//! Tensors as JSON: dtype, shape, and nested lists of numbers.

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use dirtyd_client::Tensor;
use serde_json::{Value as Json, json};

use super::json::double;

/// Nested lists; complex numbers are pairs.
pub fn to_json(tensor: &Tensor) -> Json {
    let shape: Vec<usize> = tensor.shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect();
    let values = match tensor.element_size() {
        Some(size) if tensor.data.len() == shape.iter().product::<usize>() * size => {
            nested(&tensor.dtype, &shape, size, &tensor.data)
        }
        _ => Json::Null, // malformed: what there is to say is dtype and shape
    };
    json!({ "dtype": tensor.dtype, "shape": shape, "values": values })
}

fn nested(dtype: &str, shape: &[usize], size: usize, data: &[u8]) -> Json {
    let Some((count, rest)) = shape.split_first() else { return number(dtype, data) };
    let stride = rest.iter().product::<usize>() * size;
    (0..*count).map(|i| nested(dtype, rest, size, &data[i * stride..(i + 1) * stride])).collect()
}

fn number(dtype: &str, bytes: &[u8]) -> Json {
    let mut padded = [0; 8];
    let width = bytes.len().min(8);
    padded[..width].copy_from_slice(&bytes[..width]);
    let unsigned = u64::from_le_bytes(padded);
    let low32 = u32::from_le_bytes([padded[0], padded[1], padded[2], padded[3]]);
    match dtype {
        "bool" => json!(unsigned != 0),
        "int8" => json!(unsigned as i8),
        "int16" => json!(unsigned as i16),
        "int32" => json!(unsigned as i32),
        "int64" => json!(unsigned as i64),
        "float16" => double(half(unsigned as u16)),
        // Through text, so that 0.1 stays 0.1.
        "float32" => double(f32::from_bits(low32).to_string().parse().unwrap_or(f64::NAN)),
        "float64" => double(f64::from_bits(unsigned)),
        "complex64" => json!([number("float32", &bytes[..4]), number("float32", &bytes[4..])]),
        "complex128" => json!([number("float64", &bytes[..8]), number("float64", &bytes[8..])]),
        _ => json!(unsigned),
    }
}

/// IEEE 754 binary16: one bit of sign, five of exponent, ten of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match (exponent, bits & 0x3ff) {
        (0x1f, 0) => f64::INFINITY,
        (0x1f, _) => f64::NAN,
        (0, _) => fraction * 2f64.powi(-24),
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

/// Reads `{"dtype", "shape", "values"}` with a real dtype of 32 or 64 bits, or
/// of 8 bits: what a person types.
///
/// # Errors
/// The object is incomplete, or values and shape disagree.
pub fn from_json(json: &Json) -> anyhow::Result<Tensor> {
    let dtype = json["dtype"].as_str().context("$tensor: `dtype` is missing")?;
    let shape = json["shape"].as_array().context("$tensor: `shape` is missing")?;
    let shape = shape
        .iter()
        .map(|n| n.as_i64().filter(|n| *n >= 0).context("$tensor: `shape` holds counts"))
        .collect::<anyhow::Result<Vec<i64>>>()?;
    let mut data = Vec::new();
    fill(dtype, &shape, &json["values"], &mut data)?;
    Ok(Tensor { dtype: dtype.to_owned(), shape, data: Bytes::from(data) })
}

fn fill(dtype: &str, shape: &[i64], values: &Json, data: &mut Vec<u8>) -> anyhow::Result<()> {
    let Some((count, rest)) = shape.split_first() else { return push(dtype, values, data) };
    let items = values.as_array().context("$tensor: `values` is not nested like `shape`")?;
    ensure!(
        items.len() as i64 == *count,
        "$tensor: {} values where `shape` says {count}",
        items.len()
    );
    items.iter().try_for_each(|item| fill(dtype, rest, item, data))
}

fn push(dtype: &str, value: &Json, data: &mut Vec<u8>) -> anyhow::Result<()> {
    let bad = || format!("$tensor: {value} is no {dtype}");
    let integer = || value.as_i64().with_context(bad);
    match dtype {
        "float32" => data.extend((value.as_f64().with_context(bad)? as f32).to_le_bytes()),
        "float64" => data.extend(value.as_f64().with_context(bad)?.to_le_bytes()),
        "int64" => data.extend(integer()?.to_le_bytes()),
        "int32" => data.extend(i32::try_from(integer()?).with_context(bad)?.to_le_bytes()),
        "uint8" => data.extend(u8::try_from(integer()?).with_context(bad)?.to_le_bytes()),
        "bool" => data.push(value.as_bool().with_context(bad)?.into()),
        _ => bail!(
            "$tensor: dtype `{dtype}` cannot be typed here; use float32, float64, int32, int64, uint8 or bool"
        ),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_go_there_and_back() {
        for text in [
            r#"{"dtype":"float32","shape":[2,2],"values":[[0.1,2.0],[3.5,-4.0]]}"#,
            r#"{"dtype":"int64","shape":[],"values":-7}"#,
            r#"{"dtype":"uint8","shape":[0],"values":[]}"#,
            r#"{"dtype":"bool","shape":[2],"values":[true,false]}"#,
        ] {
            let json: Json = serde_json::from_str(text).expect("json");
            let tensor = from_json(&json).expect("tensor");
            assert_eq!(to_json(&tensor), json);
        }
    }

    #[test]
    fn halves_and_complex_numbers_are_read() {
        let tensor = |dtype: &str, data: &[u8]| Tensor {
            dtype: dtype.into(),
            shape: vec![],
            data: Bytes::copy_from_slice(data),
        };
        assert_eq!(to_json(&tensor("float16", &[0x00, 0x3e]))["values"], json!(1.5));
        assert_eq!(to_json(&tensor("float16", &[0x01, 0x00]))["values"], json!(2f64.powi(-24)));
        let pair: Vec<u8> = [1f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(to_json(&tensor("complex64", &pair))["values"], json!([1.0, -2.0]));
        assert_eq!(to_json(&tensor("float32", &[0]))["values"], Json::Null, "malformed");
    }
}
