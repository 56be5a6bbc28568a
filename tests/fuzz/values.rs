//! Values that another process sends: an app's results, a caller's arguments.

use dirtyd::internals::{parse_json, render_json};
use dirtyd_client::{Value, proto::v1};
use prost::Message as _;

use crate::engine::Target;

#[test]
fn values() {
    let words: &[&[u8]] = &[
        b"\x08\x00",
        b"\x10\x01",
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x21\x00\x00\x00\x00\x00\x00\xf8\x7f",
        b"\x2a\x02\xc3\xbc",
        b"\x32\x02\x00\xff",
        b"\x3a\x04\x0a\x02\x08\x00",
        b"\x42\x07\x0a\x05\x0a\x01k\x12\x00",
        b"\x4a\x0c\x0a\x05uint8\x12\x01\x01\x1a\x00",
        b"float32",
        b"complex128",
        b"\x80\x80\x80\x80\x80\x80\x80\x80\x40",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    Target { name: "values", words, check }.run();
}

/// A value that is read goes back into the same message; it can be judged, printed, and its
/// elements asked for, whatever it holds. What is printed of a valid one can be typed again.
fn check(sent: &[u8]) {
    let Ok(message) = v1::Value::decode(sent) else { return };
    let Ok(value) = Value::try_from(message) else { return };
    let back = value.clone().into_proto().encode_to_vec();
    let back = v1::Value::decode(&back[..]).expect("encoded above");
    let back = Value::try_from(back).expect("every kind is set");
    // As text, in which a NaN is equal to itself.
    assert_eq!(format!("{back:?}"), format!("{value:?}"));
    if let Value::Tensor(tensor) = &value {
        let (doubles, flags) = (tensor.elements::<f64>(), tensor.elements::<bool>());
        assert!(doubles.is_err() || flags.is_err(), "one type of elements: {tensor:?}");
    }
    let valid = value.validate().is_ok();
    let printed = render_json(&value);
    if valid && can_be_typed(&value) {
        let typed = parse_json(&printed).unwrap_or_else(|e| panic!("{printed}: {e:#}"));
        assert_eq!(render_json(&typed), printed);
    }
}

/// Whether a person can type what is printed of the value: not with every shape, and not a map that
/// looks like one of the forms for what JSON lacks.
fn can_be_typed(value: &Value) -> bool {
    match value {
        Value::List(values) => values.iter().all(can_be_typed),
        Value::Map(entries) => {
            entries.iter().all(|(key, value)| !key.starts_with('$') && can_be_typed(value))
        }
        Value::Tensor(tensor) => {
            let empty = tensor.data.is_empty() && tensor.shape.iter().any(|length| *length > 9);
            tensor.shape.len() <= 64 && !empty
        }
        _ => true,
    }
}
