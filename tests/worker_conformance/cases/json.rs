//! Payloads of JSON, for workers that have the capability.

use dirtyd_client::{
    Args, Tensor, Value, json,
    proto::worker::{CancelReason, ErrorKind, worker_frame::Kind},
};

use crate::{
    arbiter::{Arbiter, MAX_MESSAGE},
    runtime::Runtime,
};

/// Calls `echo` with each text, and compares with the value that it stands for.
fn echoes<'a>(runtime: &Runtime, texts: impl IntoIterator<Item = (&'a str, Value)>) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    for (text, value) in texts {
        let id = arbiter.call_json("echo", format!("[{text}]"));
        let echoed = arbiter.json_result(id);
        // As text, in which a NaN is equal to itself and a zero has its sign.
        assert_eq!(format!("{echoed:?}"), format!("{value:?}"), "{text}");
    }
}

/// Calls `echo` with each payload, which it must refuse; after that it still serves.
fn refuses<T: Into<bytes::Bytes>>(runtime: &Runtime, payloads: impl IntoIterator<Item = T>) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    for payload in payloads {
        let payload = payload.into();
        let told = payload[..payload.len().min(80)].escape_ascii().to_string();
        let id = arbiter.call_json("echo", payload);
        match arbiter.next() {
            Kind::Error(error)
                if error.call_id == id && error.kind() == ErrorKind::InvalidRequest => {}
            other => panic!("expected INVALID_REQUEST for {told}, got {other:?}"),
        }
    }
    let id = arbiter.call_json("echo", "[\"on\"]");
    assert_eq!(arbiter.json_result(id), "on".into());
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    entries.into_iter().collect()
}

pub fn values_go_there_and_back(runtime: &Runtime) {
    let list = Value::List(vec![1.into(), Value::List(vec![])]);
    echoes(
        runtime,
        [
            ("null", Value::Null),
            ("true", true.into()),
            ("false", false.into()),
            ("-7", (-7).into()),
            ("9007199254740993", ((1_i64 << 53) + 1).into()),
            ("9223372036854775807", i64::MAX.into()),
            ("-9223372036854775808", i64::MIN.into()),
            ("0.1", 0.1.into()),
            ("-2.5e-3", (-2.5e-3).into()),
            ("5e-324", 5e-324.into()),
            ("1.7976931348623157e308", f64::MAX.into()),
            (r#"{"$double":"NaN"}"#, f64::NAN.into()),
            (r#"{"$double":"inf"}"#, f64::INFINITY.into()),
            (r#"{"$double":"-inf"}"#, f64::NEG_INFINITY.into()),
            (r#""""#, "".into()),
            ("\"Grüße, 世界, 🦀\"", "Grüße, 世界, 🦀".into()),
            (r#""\u0000\n\r\"\\\/\u00fc\ud83e\udd80\u2028""#, "\0\n\r\"\\/ü🦀\u{2028}".into()),
            (r#"{"$bytes":"AP8="}"#, b"\x00\xff".as_slice().into()),
            (r#"{"$bytes":""}"#, b"".as_slice().into()),
            ("[ 1 , [ ] ]", list),
            ("{}", map([])),
            (r#"{"a":{"":[null]}}"#, map([("a", map([("", vec![Value::Null].into())]))])),
            (
                r#"{"__proto__":1,"2":3,"1":4}"#,
                map([("__proto__", 1.into()), ("2", 3.into()), ("1", 4.into())]),
            ),
            (r#"{"$other":1}"#, map([("$other", 1.into())])),
            (r#"{"$bytes":"AP8=","a":1}"#, map([("$bytes", "AP8=".into()), ("a", 1.into())])),
        ],
    );
}

pub fn a_number_is_what_its_form_says(runtime: &Runtime) {
    echoes(
        runtime,
        [
            ("1", 1.into()),
            ("1.0", 1.0.into()),
            ("1e0", 1.0.into()),
            ("1E+2", 100.0.into()),
            ("0", 0.into()),
            ("-0", 0.into()),
            ("-0.0", (-0.0).into()),
            ("9007199254740992.0", 9007199254740992.0.into()),
            ("9223372036854775808.0", 9223372036854775808.0.into()),
            ("1e300", 1e300.into()),
            ("[1.0,2,3.0]", Value::List(vec![1.0.into(), 2.into(), 3.0.into()])),
            (r#"{"a":1.0}"#, map([("a", 1.0.into())])),
        ],
    );
}

pub fn tensors_of_every_dtype(runtime: &Runtime) {
    let of = |dtype: &str, shape: &[i64], data: Vec<u8>| {
        Value::Tensor(Tensor { dtype: dtype.into(), shape: shape.into(), data: data.into() })
    };
    let floats = |numbers: &[f32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
    let doubles =
        |numbers: &[f64]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
    let texts = [
        (r#""bool","shape":[2],"values":[true,false]"#, of("bool", &[2], vec![1, 0])),
        (r#""int8","shape":[2],"values":[-128,127]"#, of("int8", &[2], vec![128, 127])),
        (
            r#""uint8","shape":[2,2],"values":[[0,1],[2,255]]"#,
            of("uint8", &[2, 2], vec![0, 1, 2, 255]),
        ),
        (r#""int16","shape":[1],"values":[-2]"#, of("int16", &[1], vec![0xfe, 0xff])),
        (r#""uint16","shape":[1],"values":[65535]"#, of("uint16", &[1], vec![0xff; 2])),
        (r#""int32","shape":[1],"values":[-1]"#, of("int32", &[1], vec![0xff; 4])),
        (r#""uint32","shape":[1],"values":[4294967295]"#, of("uint32", &[1], vec![0xff; 4])),
        (
            r#""int64","shape":[],"values":-9007199254740993"#,
            of("int64", &[], (-9007199254740993_i64).to_le_bytes().into()),
        ),
        (
            r#""uint64","shape":[1],"values":[18446744073709551615]"#,
            of("uint64", &[1], vec![0xff; 8]),
        ),
        (
            r#""float16","shape":[3],"values":[1.5,-0.0,65504]"#,
            of("float16", &[3], vec![0x00, 0x3e, 0x00, 0x80, 0xff, 0x7b]),
        ),
        (
            r#""float32","shape":[2,1],"values":[[0.1],[{"$double":"-inf"}]]"#,
            of("float32", &[2, 1], floats(&[0.1, f32::NEG_INFINITY])),
        ),
        (r#""float64","shape":[2],"values":[1,0.1]"#, of("float64", &[2], doubles(&[1.0, 0.1]))),
        (
            r#""complex64","shape":[2],"values":[[1.0,-2.0],[0.5,0]]"#,
            of("complex64", &[2], floats(&[1.0, -2.0, 0.5, 0.0])),
        ),
        (
            r#""complex128","shape":[],"values":[0.1,1e300]"#,
            of("complex128", &[], doubles(&[0.1, 1e300])),
        ),
        (r#""float32","shape":[0,3],"values":[]"#, of("float32", &[0, 3], vec![])),
        (r#""float32","shape":[2,0],"values":[[],[]]"#, of("float32", &[2, 0], vec![])),
    ];
    let texts = texts.map(|(rest, value)| (format!(r#"{{"$tensor":{{"dtype":{rest}}}}}"#), value));
    echoes(runtime, texts.iter().map(|(text, value)| (text.as_str(), value.clone())));
}

pub fn arguments_by_place_and_name(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    for (text, args) in [
        ("", Args::none()),
        (" \t\r\n", Args::none()),
        ("[]", Args::none()),
        ("{}", Args::none()),
        ("\n[1, \"two\"]\n", Args::from([1.into(), "two".into()])),
        (r#"{"args":[1]}"#, Args::from([1.into()])),
        (r#"{"args":[{"args":[]}]}"#, Args::from([map([("args", Value::List(vec![]))])])),
        (r#"{"kwargs":{"three":3.5}}"#, Args::none().kwarg("three", 3.5)),
        (
            r#"{"kwargs":{"a":{"$bytes":"AA=="}},"args":[1.0]}"#,
            Args::from([1.0.into()]).kwarg("a", b"\0".as_slice()),
        ),
        (r#"{"args":[],"kwargs":{}}"#, Args::none()),
    ] {
        let id = arbiter.call_json("arguments", text);
        let kwargs = args.kwargs.into_iter().collect::<Value>();
        let expected = map([("args", Value::List(args.args)), ("kwargs", kwargs)]);
        assert_eq!(arbiter.json_result(id), expected, "{text}");
    }
}

pub fn of_two_equal_keys_the_last_one_counts(runtime: &Runtime) {
    echoes(runtime, [(r#"{"a":1,"\u0061":2}"#, map([("a", 2.into())]))]);
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let id = arbiter.call_json("echo", r#"{"args":[1],"args":[2]}"#);
    assert_eq!(arbiter.json_result(id), 2.into());
}

pub fn malformed_requests(runtime: &Runtime) {
    let payloads: [&[u8]; 23] = [
        b"1",
        b"null",
        b"\"text\"",
        b"{",
        b"[1",
        b"[1,]",
        b"[01]",
        b"[.5]",
        b"[1.]",
        b"[+1]",
        b"[NaN]",
        b"[-Infinity]",
        b"['a']",
        b"[1] [2]",
        b"{\"args\":[]",
        b"{\"args\":{}}",
        b"{\"args\":null}",
        b"{\"kwargs\":[]}",
        b"{\"kwargs\":null}",
        b"{\"args\":[],\"more\":1}",
        b"{\"$bytes\":\"AA==\"}",
        b"[\"\xff\"]",
        b"\xff\xfe",
    ];
    refuses(runtime, payloads);
}

pub fn malformed_values(runtime: &Runtime) {
    refuses(
        runtime,
        [
            "[9223372036854775808]",
            "[-9223372036854775809]",
            "[[18446744073709551616]]",
            "[\"a\nb\"]",
            "[\"\\x\"]",
            r#"["\ud800"]"#,
            r#"["\udc00\ud800"]"#,
            r#"[{"\ud800":1}]"#,
            r#"{"kwargs":{"\udfff":1}}"#,
            r#"[{"$bytes":"?"}]"#,
            r#"[{"$bytes":"AP8"}]"#,
            r#"[{"$bytes":"AP 8="}]"#,
            r#"[{"$bytes":1}]"#,
            r#"[{"$double":"x"}]"#,
            r#"[{"$double":1.5}]"#,
        ],
    );
}

pub fn malformed_tensors(runtime: &Runtime) {
    let tensors = [
        r#"1"#,
        r#"{}"#,
        r#"{"shape":[1],"values":[1]}"#,
        r#"{"dtype":"int8","values":[1]}"#,
        r#"{"dtype":"int8","shape":[1]}"#,
        r#"{"dtype":"object","shape":[1],"values":[1]}"#,
        r#"{"dtype":"no_such_type","shape":[0],"values":[]}"#,
        r#"{"dtype":"int8","shape":[2],"values":[1]}"#,
        r#"{"dtype":"int8","shape":[1],"values":[1,2]}"#,
        r#"{"dtype":"int8","shape":[2],"values":[[1,2]]}"#,
        r#"{"dtype":"int8","shape":[1,2],"values":[1,2]}"#,
        r#"{"dtype":"int8","shape":[2,2],"values":[[1,2],[3]]}"#,
        r#"{"dtype":"int8","shape":[-1],"values":[]}"#,
        r#"{"dtype":"int8","shape":[1099511627776,1099511627776],"values":[]}"#,
        r#"{"dtype":"int8","shape":["1"],"values":[1]}"#,
        r#"{"dtype":"uint8","shape":[1],"values":[256]}"#,
        r#"{"dtype":"uint8","shape":[1],"values":[-1]}"#,
        r#"{"dtype":"uint64","shape":[1],"values":[18446744073709551616]}"#,
        r#"{"dtype":"int8","shape":[1],"values":[1.5]}"#,
        r#"{"dtype":"int8","shape":[1],"values":[null]}"#,
        r#"{"dtype":"float64","shape":[1],"values":["1"]}"#,
        r#"{"dtype":"bool","shape":[1],"values":[2]}"#,
        r#"{"dtype":"complex64","shape":[1],"values":[1.0]}"#,
        r#"{"dtype":"complex64","shape":[1],"values":[[1.0,2.0,3.0]]}"#,
    ];
    refuses(runtime, tensors.map(|tensor| format!(r#"[{{"$tensor":{tensor}}}]"#)));
}

fn nest(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

/// The list of the arguments is no level of a value.
pub fn levels_of_nesting(runtime: &Runtime) {
    let text = nest(32);
    echoes(runtime, [(text.as_str(), json::read(&text).expect("32 levels"))]);
    let kwargs = format!(r#"{{"kwargs":{{"value":{}}}}}"#, nest(33));
    refuses(runtime, [nest(34), kwargs, nest(200), nest(100_000), "{\"a\":[".repeat(10_000)]);
}

pub fn a_result_that_nests_too_deep(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    // The action puts its arguments into a list in a map.
    let id = arbiter.call_json("arguments", nest(31));
    arbiter.json_result(id);
    let id = arbiter.call_json("arguments", nest(32));
    arbiter.failure(id, ErrorKind::ResultNotSerializable);
}

pub fn a_result_without_a_form(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let id = arbiter.call_json("unserialisable", "");
    let failure = arbiter.failure(id, ErrorKind::ResultNotSerializable).failure.expect("a failure");
    assert!(failure.message.contains("inner"), "{}", failure.message);
}

/// The size is that of the text: a line break has two bytes there.
pub fn a_result_that_is_too_large(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    for (text, count) in [("x", MAX_MESSAGE - 1), ("\\n", MAX_MESSAGE / 2)] {
        let id = arbiter.call_json("repeat", format!("[\"{text}\",{count}]"));
        let failure = arbiter.failure(id, ErrorKind::MessageTooLarge).failure.expect("a failure");
        assert!(failure.message.contains(&MAX_MESSAGE.to_string()), "{}", failure.message);
    }
    let id = arbiter.call_json("repeat", format!("[\"x\",{}]", MAX_MESSAGE - 2));
    arbiter.json_result(id);
}

pub fn chunks_then_end(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let id = arbiter.request_json("count", "[100]", Some((100, 100_000)));
    for number in 0..100 {
        assert_eq!(arbiter.json_chunk(id), number.into());
    }
    arbiter.end(id);
    let id = arbiter.request_json("count", "[0]", Some((1, 1)));
    arbiter.end(id);
}

pub fn credit_counts_the_text(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    // Each chunk is one digit.
    let id = arbiter.request_json("count", "[4]", Some((9, 2)));
    assert_eq!([arbiter.json_chunk(id), arbiter.json_chunk(id)], [0.into(), 1.into()]);
    arbiter.ping(1);
    arbiter.credit(id, 0, 1);
    assert_eq!(arbiter.json_chunk(id), 2.into());
    arbiter.ping(2);
    arbiter.credit(id, 0, 9);
    assert_eq!(arbiter.json_chunk(id), 3.into());
    arbiter.end(id);
}

/// In base64 it is beyond the limit.
pub fn a_chunk_that_is_too_large(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let size = MAX_MESSAGE / 8 * 7;
    let id = arbiter.request_json("blobs", format!("[{size},1]"), Some((9, 9_000_000)));
    arbiter.failure(id, ErrorKind::MessageTooLarge);
    let id = arbiter.request_json("blobs", "[3,1]", Some((9, 9_000_000)));
    assert_eq!(arbiter.json_chunk(id), [0; 3].as_slice().into());
    arbiter.end(id);
}

pub fn a_plain_result_of_a_stream(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let id = arbiter.request_json("echo", "[\"one\"]", Some((1, 1)));
    assert_eq!(arbiter.json_result(id), "one".into());
}

pub fn an_exception_after_chunks(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let id = arbiter.request_json("fail_after", "[1]", Some((9, 1000)));
    assert_eq!(arbiter.json_chunk(id), 0.into());
    let failure = arbiter.failure(id, ErrorKind::App).failure.expect("a failure");
    assert_eq!(failure.message, "after 1");
}

pub fn failures_are_those_of_any_call(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    for (action, text, kind) in [
        ("fail", "[\"grüße\"]", ErrorKind::App),
        ("nonesuch", "", ErrorKind::ActionNotFound),
        ("_secret", "", ErrorKind::ActionNotFound),
        ("init", "", ErrorKind::ActionNotFound),
        ("count", "[3]", ErrorKind::ActionStreams),
    ] {
        let id = arbiter.call_json(action, text);
        arbiter.failure(id, kind);
    }
}

pub fn cancel_ends_an_async_action(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    let id = arbiter.call_json("nap", "[600.0]");
    arbiter.cancel(id, CancelReason::CallerGone);
    arbiter.failure(id, ErrorKind::Cancelled);
}

pub fn each_call_has_its_own_kind(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready_for_json(runtime);
    for _ in 0..2 {
        let id = arbiter.call("echo", [1.0.into()]);
        assert_eq!(arbiter.result(id), 1.0.into());
        let id = arbiter.call_json("echo", "[1.0]");
        assert_eq!(arbiter.json_result(id), 1.0.into());
    }
}
