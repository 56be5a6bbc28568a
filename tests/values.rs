//! A value comes back as it went, type and all; what has no form as a value is
//! an error that costs nobody anything.

use bytes::Bytes;
use dirtyd_client::{Reason, Tensor, Value, args};
use tonic::Code;

use crate::support::{Daemon, failure};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

fn tensor(dtype: &str, shape: &[i64], data: &[u8]) -> Value {
    Value::Tensor(Tensor {
        dtype: dtype.into(),
        shape: shape.into(),
        data: Bytes::copy_from_slice(data),
    })
}

/// Every kind at its edges, with the type that an action sees.
fn specimens() -> Vec<(&'static str, Value)> {
    let map: Value = [("", Value::Null), ("ключ", Value::from(vec![1, 2]))].into_iter().collect();
    let mixed = Value::List(vec![Value::Null, Value::from("a"), map.clone(), Value::from(1.5)]);
    let mut specimens = vec![
        ("NoneType", Value::Null),
        ("bool", Value::from(true)),
        ("bool", Value::from(false)),
        ("bytes", Value::from(&b""[..])),
        ("bytes", Value::from(&(0..=255).collect::<Vec<u8>>()[..])),
        ("list", Value::List(Vec::new())),
        ("list", mixed),
        ("dict", map),
        ("ndarray", tensor("float32", &[2, 2], &[0; 16])),
        ("ndarray", tensor("int64", &[], &7_i64.to_le_bytes())),
        ("ndarray", tensor("uint8", &[0, 3], &[])),
    ];
    specimens.extend([0, 1, -1, 1 << 53, i64::MAX, i64::MIN].map(|n| ("int", Value::from(n))));
    let doubles = [0.0, -0.0, 0.1, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NEG_INFINITY];
    specimens.extend(doubles.map(|n| ("float", Value::from(n))));
    let texts = ["", "a\0b", "e\u{301} é", "\u{10FFFF}", "𝕊👩‍💻", "\r\n\t"];
    specimens.extend(texts.map(|text| ("str", Value::from(text))));
    specimens
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_value_comes_back_the_same() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    for (name, value) in specimens() {
        let seen = client.execute("lab:Lab", "type_name", [value.clone()]).await;
        assert_eq!(seen.expect("type"), Value::from(name), "{value:?}");
        let back = client.execute("lab:Lab", "echo", [value.clone()]).await.expect("echo");
        assert_eq!(back, value);
        if let (Value::Double(back), Value::Double(sent)) = (&back, &value) {
            assert_eq!(back.to_bits(), sent.to_bits(), "the sign of zero");
        }
    }
    let nan = client.execute("lab:Lab", "echo", args![f64::NAN]).await.expect("echo");
    assert!(nan.as_f64().is_some_and(f64::is_nan), "{nan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numpy_arrays_are_tensors_on_both_sides() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let made = client.execute("lab:Lab", "array", args!["int16", 4]).await.expect("array");
    assert_eq!(made, tensor("int16", &[2, 2], &[0, 0, 1, 0, 2, 0, 3, 0]));
    let doubled = client.execute("lab:Lab", "doubled", args![made]).await.expect("doubled");
    assert_eq!(doubled, tensor("int16", &[2, 2], &[0, 0, 2, 0, 4, 0, 6, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_form_as_a_value_is_an_error_and_the_worker_lives_on() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let pid = client.execute("lab:Lab", "pid", args![]).await.expect("pid");
    for (action, hint) in [("huge_integer", "64"), ("unserialisable", "object")] {
        let outcome = client.execute("lab:Lab", action, args![]).await;
        let failure = failure(outcome, Code::Internal, Reason::ResultNotSerializable);
        assert!(failure.message.contains(hint), "{}", failure.message);
        let after = client.execute("lab:Lab", "pid", args![]).await.expect("pid");
        assert_eq!(after, pid, "the same worker serves on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_megabytes_pass_both_ways() {
    let daemon = Daemon::start(APP).await;
    let big = Bytes::from(vec![0xA5; 20 << 20]);
    let back = daemon.client().execute("lab:Lab", "echo", args![big.clone()]).await;
    assert!(back.expect("echo") == Value::Bytes(big));
}
