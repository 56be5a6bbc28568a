//! The tagged values of `tests/conformance/README.md`.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use dirtyd_client::{Tensor, Value};
use serde_json::Value as Json;

/// The value that a tag means; `closed_file` stands for the path of the same name.
pub fn value(tagged: &Json, closed_file: &Path) -> Value {
    let (tag, inner) = tagged.as_object().and_then(|map| map.iter().next()).expect("a tag");
    match tag.as_str() {
        "null" => Value::Null,
        "bool" => inner.as_bool().expect("a bool").into(),
        "int" => text(inner).parse::<i64>().expect("an int").into(),
        "double" => text(inner).parse::<f64>().expect("a double").into(),
        "string" => text(inner).into(),
        "bytes" => bytes(inner).into(),
        "list" => {
            let values = inner.as_array().expect("a list").iter();
            Value::List(values.map(|inner| value(inner, closed_file)).collect())
        }
        "map" => {
            let entries = inner.as_object().expect("a map").iter();
            entries.map(|(key, inner)| (key, value(inner, closed_file))).collect()
        }
        "tensor" => Value::Tensor(Tensor {
            dtype: text(&inner["dtype"]).to_owned(),
            shape: (inner["shape"].as_array().expect("a shape").iter())
                .map(|side| side.as_i64().expect("an int"))
                .collect(),
            data: bytes(&inner["data"]),
        }),
        "string_repeat" => text(&inner["text"]).repeat(count(inner)).into(),
        "bytes_repeat" => {
            let byte = inner["byte"].as_u64().expect("a byte") as u8;
            Bytes::from(vec![byte; count(inner)]).into()
        }
        "closed_file" => closed_file.to_str().expect("UTF-8").into(),
        other => panic!("unknown tag {other:?}"),
    }
}

/// Whether values are equal; doubles are by their bits, NaN to any NaN.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Double(one), Value::Double(other)) => {
            one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
        }
        (Value::List(ones), Value::List(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| same(one, other))
        }
        (Value::Map(ones), Value::Map(others)) => {
            ones.len() == others.len()
                && (ones.iter())
                    .all(|(key, one)| others.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

pub fn text(json: &Json) -> &str {
    json.as_str().expect("a string")
}

fn bytes(json: &Json) -> Bytes {
    STANDARD.decode(text(json)).expect("base64").into()
}

fn count(json: &Json) -> usize {
    json["count"].as_u64().expect("a count") as usize
}
