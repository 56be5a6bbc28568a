//! Each row of the table in `docs/worker-protocol.md`, there and back, and what is refused.

use bytes::Bytes;

use super::{JsonError, check, read, read_args, write};
use crate::value::{Args, Tensor, Value};

fn written(value: &Value) -> String {
    let mut text = Vec::new();
    write(value, &mut text).expect("a Vec takes all");
    String::from_utf8(text).expect("UTF-8")
}

fn refusal<T: std::fmt::Debug>(read: Result<T, JsonError>) -> String {
    read.expect_err("refused").to_string()
}

#[test]
fn each_kind_goes_there_and_back() {
    for (text, value) in [
        ("null", Value::Null),
        ("true", true.into()),
        ("false", false.into()),
        ("1", 1.into()),
        ("-9223372036854775808", i64::MIN.into()),
        ("9223372036854775807", i64::MAX.into()),
        ("1.0", 1.0.into()),
        ("-0.0", (-0.0).into()),
        ("1e+300", 1e300.into()),
        ("5e-324", 5e-324.into()),
        ("{\"$double\":\"inf\"}", f64::INFINITY.into()),
        ("{\"$double\":\"-inf\"}", f64::NEG_INFINITY.into()),
        ("\"ü\\u0000\\n\u{10FFFF}\"", "ü\0\n\u{10FFFF}".into()),
        ("{\"$bytes\":\"AP8=\"}", b"\0\xff".as_slice().into()),
        ("{\"$bytes\":\"\"}", b"".as_slice().into()),
        ("[1,[2]]", Value::List(vec![1.into(), vec![2].into()])),
        (
            "{\"a\":{\"b\":null}}",
            [("a", [("b", Value::Null)].into_iter().collect::<Value>())].into_iter().collect(),
        ),
        ("{\"$other\":1}", [("$other", 1)].into_iter().collect()),
        ("{\"$bytes\":1,\"a\":2}", [("$bytes", 1), ("a", 2)].into_iter().collect()),
    ] {
        assert_eq!(read(text).expect(text), value, "{text}");
        assert_eq!(written(&value), text);
        assert!(check(&value).is_ok(), "{text}");
    }
    let nan = "{\"$double\":\"NaN\"}";
    assert_eq!(written(&read(nan).expect(nan)), nan);
}

#[test]
fn a_number_is_what_its_form_says() {
    for (text, value) in [
        ("-0", Value::Int(0)),
        ("1E2", Value::Double(100.0)),
        ("1e0", Value::Double(1.0)),
        ("18446744073709551616.0", Value::Double(2f64.powi(64))),
        ("1e-999", Value::Double(0.0)),
    ] {
        assert_eq!(read(text).expect(text), value, "{text}");
    }
    for text in ["9223372036854775808", "-9223372036854775809", "18446744073709551616"] {
        assert!(refusal(read(text)).contains("64 bits"), "{text}");
    }
    assert!(refusal(read("-1e999")).contains("does not fit into a double"));
}

#[test]
fn of_two_equal_keys_the_last_one_counts() {
    let map = [("a", 2)].into_iter().collect::<Value>();
    assert_eq!(read("{\"a\":[1],\"\\u0061\":2}").expect("a map"), map);
    let bytes = "{\"$bytes\":1,\"$bytes\":\"AA==\"}";
    assert_eq!(read(bytes).expect("bytes"), b"\0".as_slice().into());
}

#[test]
fn what_is_malformed_is_refused() {
    for (text, why) in [
        ("", "EOF while parsing"),
        ("\u{feff}1", "expected value"),
        ("1 2", "trailing characters"),
        ("[1,]", "expected value"),
        ("01", "invalid number"),
        ("NaN", "expected value"),
        ("\"\t\"", "control character"),
        ("\"\\ud800\"", "lone surrogate"),
        ("[{\"\\udc00\":1}]", "lone surrogate"),
        ("{\"$bytes\":\"?\"}", "$bytes: not base64"),
        ("{\"$bytes\":\"AP8\"}", "$bytes: not base64"),
        ("{\"$bytes\":[0]}", "$bytes: not base64"),
        ("{\"$double\":\"1.5\"}", "$double: \"1.5\" is not \"NaN\""),
        ("{\"$double\":1.5}", "$double: 1.5 is not \"NaN\""),
        ("{\"$tensor\":1}", "`dtype` is missing"),
    ] {
        let said = refusal(read(text));
        assert!(said.contains(why), "{text}: {said}");
    }
}

/// Own names of serde_json are no names here.
#[test]
fn keys_that_serde_json_uses_itself_are_keys() {
    for key in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        let map = [(key, "1")].into_iter().collect::<Value>();
        assert_eq!(read(&written(&map)).expect(key), map);
    }
}

#[test]
fn lists_nest_32_levels_deep_and_tensors_beside_that() {
    let nest =
        |levels: usize, inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nest(32, "1")).is_ok());
    assert!(read(&nest(32, "{\"$bytes\":\"\"}")).is_ok());
    let tensor = "{\"$tensor\":{\"dtype\":\"bool\",\"shape\":[1,1],\"values\":[[true]]}}";
    assert!(read(&nest(32, tensor)).is_ok());
    for inner in ["[]", "{}", "{\"$other\":1}"] {
        assert!(refusal(read(&nest(32, inner))).contains("32 levels"), "{inner}");
    }
    // Deeper than any stack.
    assert!(refusal(read(&nest(1_000_000, "1"))).contains("32 levels"));
    assert!(read_args(nest(33, "1").as_bytes()).is_ok(), "the list of arguments is no level");
    assert!(refusal(read_args(nest(34, "1").as_bytes())).contains("32 levels"));
}

#[test]
fn arguments_have_three_forms() {
    let one = Args::from([1.into()]);
    for (text, args) in [
        ("", Args::none()),
        (" \t\r\n", Args::none()),
        ("[]", Args::none()),
        ("{}", Args::none()),
        (" [1] ", one.clone()),
        ("{\"args\":[1]}", one.clone()),
        ("{\"kwargs\":{\"a\":1.0}}", Args::none().kwarg("a", 1.0)),
        ("{\"kwargs\":{\"$bytes\":\"AA==\"}}", Args::none().kwarg("$bytes", "AA==")),
        ("{\"args\":[1],\"kwargs\":{\"a\":\"b\"}}", one.clone().kwarg("a", "b")),
        ("{\"args\":7,\"args\":[1]}", one),
    ] {
        assert_eq!(read_args(text.as_bytes()).expect(text), args, "{text}");
    }
}

#[test]
fn other_arguments_are_refused() {
    for (text, why) in [
        (&b"1"[..], "arguments are a list"),
        (b"null", "arguments are a list"),
        (b"{\"args\":null}", "`args` is not a list"),
        (b"{\"args\":{}}", "`args` is not a list"),
        (b"{\"kwargs\":[]}", "`kwargs` is not an object"),
        (b"{\"arg\":[]}", "\"arg\" is not a key"),
        (b"{\"$bytes\":\"\"}", "\"$bytes\" is not a key"),
        (b"\xa0", "not UTF-8"),
        ("\u{a0}".as_bytes(), "expected value"),
        (b"[1", "EOF while parsing a list"),
        (b"[9223372036854775808]", "64 bits"),
    ] {
        let said = refusal(read_args(text));
        assert!(said.contains(why), "{}: {said}", text.escape_ascii());
    }
}

fn tensor(json: &str) -> String {
    format!("{{\"$tensor\":{json}}}")
}

#[test]
fn tensors_of_every_dtype_go_there_and_back() {
    for json in [
        r#"{"dtype":"float32","shape":[2,2],"values":[[0.1,2.0],[3.5,-4.0]]}"#,
        r#"{"dtype":"float64","shape":[2],"values":[{"$double":"NaN"},{"$double":"-inf"}]}"#,
        r#"{"dtype":"float32","shape":[2],"values":[{"$double":"inf"},3.4028235e+38]}"#,
        r#"{"dtype":"float16","shape":[3],"values":[1.5,-0.0,{"$double":"inf"}]}"#,
        r#"{"dtype":"int64","shape":[],"values":-9223372036854775808}"#,
        r#"{"dtype":"uint64","shape":[1],"values":[18446744073709551615]}"#,
        r#"{"dtype":"int32","shape":[1],"values":[-2147483648]}"#,
        r#"{"dtype":"uint32","shape":[1],"values":[4294967295]}"#,
        r#"{"dtype":"int16","shape":[1],"values":[-32768]}"#,
        r#"{"dtype":"uint16","shape":[1],"values":[65535]}"#,
        r#"{"dtype":"int8","shape":[1],"values":[-128]}"#,
        r#"{"dtype":"uint8","shape":[2],"values":[0,255]}"#,
        r#"{"dtype":"uint8","shape":[0],"values":[]}"#,
        r#"{"dtype":"bool","shape":[2],"values":[true,false]}"#,
        r#"{"dtype":"int32","shape":[2,0,3],"values":[[],[]]}"#,
        r#"{"dtype":"complex64","shape":[2],"values":[[1.0,-2.0],[0.1,{"$double":"NaN"}]]}"#,
        r#"{"dtype":"complex128","shape":[1,1],"values":[[[0.5,1e+300]]]}"#,
    ] {
        let text = tensor(json);
        let value = read(&text).expect(json);
        assert_eq!(value.validate(), Ok(()), "{json}");
        assert_eq!(written(&value), text);
    }
    let ints = tensor(r#"{"dtype":"float64","shape":[2],"values":[1,-0]}"#);
    assert!(written(&read(&ints).expect("ints are doubles, too")).contains("[1.0,-0.0]"));
    let zero = tensor(r#"{"dtype":"uint8","shape":[1],"values":[-0]}"#);
    assert!(written(&read(&zero).expect("a zero")).contains("[0]"));
}

#[test]
fn what_cannot_be_a_tensor_is_refused() {
    for (json, why) in [
        (r#"{"shape":[],"values":1}"#, "`dtype` is missing"),
        (r#"{"dtype":7,"shape":[],"values":1}"#, "`dtype` is missing"),
        (r#"{"dtype":"int8","values":1}"#, "`shape` is missing"),
        (r#"{"dtype":"int8","shape":[]}"#, "not nested like"),
        (r#"{"dtype":"int8","shape":[1],"values":1}"#, "not nested like"),
        (r#"{"dtype":"object","shape":[0],"values":[]}"#, "the dtype \"object\" is not one of"),
        (r#"{"dtype":"bool","shape":[2],"values":[true]}"#, "1 values where `shape` says 2"),
        (r#"{"dtype":"bool","shape":[-1],"values":[]}"#, "holds counts"),
        (r#"{"dtype":"bool","shape":[1.0],"values":[true]}"#, "holds counts"),
        (r#"{"dtype":"bool","shape":[],"values":1}"#, "1 is not a bool"),
        (r#"{"dtype":"int8","shape":[],"values":128}"#, "128 is not a int8"),
        (r#"{"dtype":"uint8","shape":[],"values":-1}"#, "-1 is not a uint8"),
        (r#"{"dtype":"int64","shape":[],"values":1.0}"#, "1.0 is not a int64"),
        (r#"{"dtype":"uint64","shape":[],"values":18446744073709551616}"#, "is not a uint64"),
        (r#"{"dtype":"float32","shape":[],"values":1e300}"#, "is not a float32"),
        (r#"{"dtype":"float16","shape":[],"values":65520}"#, "65520 is not a float16"),
        (r#"{"dtype":"float64","shape":[],"values":1e999}"#, "1e999 is not a float64"),
        (r#"{"dtype":"float64","shape":[],"values":"1"}"#, "is not a float64"),
        (r#"{"dtype":"float64","shape":[],"values":{"$double":"x"}}"#, "$double: \"x\""),
        (r#"{"dtype":"complex64","shape":[1],"values":[1.0]}"#, "1.0 is not a complex64"),
        (r#"{"dtype":"complex64","shape":[],"values":[1,2,3]}"#, "is not a complex64"),
    ] {
        let said = refusal(read(&tensor(json)));
        assert!(said.contains(why), "{json}: {said}");
    }
    let deep = format!(
        r#"{{"dtype":"bool","shape":[{}1],"values":{}true{}}}"#,
        "1,".repeat(64),
        "[".repeat(65),
        "]".repeat(65)
    );
    assert!(refusal(read(&tensor(&deep))).contains("65 dimensions, the limit is 64"));
}

#[test]
fn a_shape_that_is_larger_than_its_data_is_not_written() {
    let of = |shape: Vec<i64>, data: &'static [u8]| {
        Value::Tensor(Tensor { dtype: "int8".to_owned(), shape, data: Bytes::from_static(data) })
    };
    for value in [
        of(vec![i64::MAX, i64::MAX], &[]),
        of(vec![1 << 32, 1 << 32], &[]),
        of(vec![i64::MAX, 0], &[]),
        of(vec![1; 9999], &[]),
        of(vec![1; 9999], &[7]),
    ] {
        assert!(written(&value).ends_with("\"values\":null}}"));
        assert!(refusal(check(&value)).contains("has no form as lists"));
    }
}

#[test]
fn a_map_that_would_be_read_as_something_else_has_no_form() {
    for key in ["$bytes", "$double", "$tensor"] {
        let map = [(key, "x")].into_iter().collect::<Value>();
        let said = refusal(check(&Value::List(vec![map])));
        assert!(said.contains(&format!("`{key}` has another meaning")), "{said}");
    }
}
