//! One element of a tensor as JSON.

use std::{
    io::{self, Write},
    str::FromStr,
};

use serde_json::value::RawValue;

use super::{
    JsonError,
    half::{from_half, to_half},
    number::{special, special_name},
    raw,
};

/// Reads an element of a known dtype; adds its bytes.
pub fn read(dtype: &str, json: &RawValue, data: &mut Vec<u8>) -> Result<(), JsonError> {
    let bad = || JsonError::Content(format!("$tensor: {json} is not a {dtype}"));
    let part = match dtype {
        "complex64" => "float32",
        "complex128" => "float64",
        _ => return if scalar(dtype, json, data)? { Ok(()) } else { Err(bad()) },
    };
    let pair = raw::list(json).filter(|pair| pair.len() == 2).ok_or_else(bad)?;
    for number in pair {
        if !scalar(part, number, data)? {
            return Err(bad());
        }
    }
    Ok(())
}

/// As `read`; false if the element is of another dtype.
fn scalar(dtype: &str, json: &RawValue, data: &mut Vec<u8>) -> Result<bool, JsonError> {
    macro_rules! integer {
        ($native:ty) => {
            // Read as what is wide enough for all, so that `-0` is an unsigned zero, too.
            match json.get().parse::<i128>().map(<$native>::try_from) {
                Ok(Ok(integer)) => data.extend(integer.to_le_bytes()),
                _ => return Ok(false),
            }
        };
    }
    macro_rules! float {
        ($native:ty) => {
            match float::<$native>(json, |special| special as $native)? {
                Some(float) if float.is_finite() || !is_number(json) => {
                    data.extend(float.to_le_bytes());
                }
                _ => return Ok(false),
            }
        };
    }
    match dtype {
        "bool" if matches!(json.get(), "true" | "false") => {
            data.push((json.get() == "true").into())
        }
        "int8" => integer!(i8),
        "int16" => integer!(i16),
        "int32" => integer!(i32),
        "int64" => integer!(i64),
        "uint8" => integer!(u8),
        "uint16" => integer!(u16),
        "uint32" => integer!(u32),
        "uint64" => integer!(u64),
        "float16" => match float(json, |special| special)?.map(to_half) {
            Some(bits) if from_half(bits).is_finite() || !is_number(json) => {
                data.extend(bits.to_le_bytes());
            }
            _ => return Ok(false),
        },
        "float32" => float!(f32),
        "float64" => float!(f64),
        _ => return Ok(false),
    }
    Ok(true)
}

fn is_number(json: &RawValue) -> bool {
    json.get().starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

/// A number, rounded once, or what stands for one that is not finite.
fn float<T: FromStr>(
    json: &RawValue,
    of_special: impl Fn(f64) -> T,
) -> Result<Option<T>, JsonError> {
    if is_number(json) {
        return Ok(json.get().parse().ok());
    }
    let Some(entries) = raw::object(json)? else { return Ok(None) };
    match entries.get("$double") {
        Some(inner) if entries.len() == 1 => special(inner).map(of_special).map(Some),
        _ => Ok(None),
    }
}

/// Writes an element from its bytes, as many as its dtype has.
pub fn write(dtype: &str, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut padded = [0; 8];
    let width = bytes.len().min(8);
    padded[..width].copy_from_slice(&bytes[..width]);
    let unsigned = u64::from_le_bytes(padded);
    match dtype {
        "bool" => write!(out, "{}", unsigned != 0),
        "int8" => write!(out, "{}", unsigned as i8),
        "int16" => write!(out, "{}", unsigned as i16),
        "int32" => write!(out, "{}", unsigned as i32),
        "int64" => write!(out, "{}", unsigned as i64),
        "float16" => double(from_half(unsigned as u16), out),
        "float32" => match f32::from_bits(unsigned as u32) {
            // As short as an f32 can be: 0.1 stays 0.1.
            float if float.is_finite() => Ok(serde_json::to_writer(out, &float)?),
            float => double(float.into(), out),
        },
        "float64" => double(f64::from_bits(unsigned), out),
        "complex64" => pair("float32", bytes, out),
        "complex128" => pair("float64", bytes, out),
        _ => write!(out, "{unsigned}"),
    }
}

fn pair(dtype: &str, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let (real, imaginary) = bytes.split_at(bytes.len() / 2);
    out.write_all(b"[")?;
    write(dtype, real, out)?;
    out.write_all(b",")?;
    write(dtype, imaginary, out)?;
    out.write_all(b"]")
}

/// Writes a double, which has a fraction or an exponent if it is finite.
pub fn double(value: f64, out: &mut dyn Write) -> io::Result<()> {
    match value.is_finite() {
        true => Ok(serde_json::to_writer(out, &value)?),
        false => write!(out, "{{\"$double\":\"{}\"}}", special_name(value)),
    }
}
