use dirtyd_client::{
    Args, Tensor, Value,
    proto::{
        v1,
        worker::{CancelReason, ErrorKind, Metadata, Request},
    },
};

use crate::{
    arbiter::{Arbiter, MAX_MESSAGE, request},
    runtime::Runtime,
};

pub fn every_kind_of_value_goes_there_and_back(runtime: &Runtime) {
    let tensor = |dtype: &str, shape: &[i64], data: &'static [u8]| {
        Value::Tensor(Tensor { dtype: dtype.into(), shape: shape.into(), data: data.into() })
    };
    let scalars = vec![
        Value::Null,
        true.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        (-0.0).into(),
        f64::INFINITY.into(),
        5e-324.into(),
        1.0.into(),
        "".into(),
        "Grüße, 世界, 🦀, \0, \u{10FFFF}".into(),
        b"".as_slice().into(),
        b"\x00\xff".as_slice().into(),
        tensor("uint8", &[2, 2], &[0, 1, 2, 255]),
        tensor("float32", &[0, 3], &[]),
        tensor("int64", &[], &[255; 8]),
        Value::List(vec![]),
    ];
    let map: Value =
        [("", Value::List(scalars.clone())), ("ключ", Value::Null)].into_iter().collect();
    let mut arbiter = Arbiter::ready(runtime, 1);
    for value in scalars.into_iter().chain([map]) {
        let id = arbiter.call("echo", [value.clone()]);
        let echoed = arbiter.result(id);
        assert_eq!(echoed, value);
        assert_eq!(format!("{echoed:?}"), format!("{value:?}"), "the sign of a zero");
    }
}

pub fn arguments_by_place_and_name(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("arguments", Args::from([1.into(), "two".into()]).kwarg("three", 3.5));
    let result = arbiter.result(id);
    assert_eq!(result.get("args"), Some(&Value::List(vec![1.into(), "two".into()])));
    assert_eq!(result.get("kwargs").and_then(|kwargs| kwargs.get("three")), Some(&3.5.into()));
}

pub fn the_action_knows_its_call(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("context", Args::none());
    let context = arbiter.result(id);
    assert_eq!(context.get("request_id"), Some(&Value::from("request-1")));
    assert_eq!(context.get("color"), Some(&Value::from("blue")));
    assert_eq!(context.get("cancelled"), Some(&Value::from(false)));
    let left = context.get("time_left").and_then(Value::as_f64).expect("a number");
    assert!((1.0..=60.0).contains(&left), "{left} seconds are left of 60");
}

pub fn the_action_knows_its_trace(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for value in [Some(traceparent), None] {
        let mut frame = arbiter.frame(&request("traceparent", Args::none()), None);
        frame.metadata.extend(value.map(|value| Metadata {
            key: "traceparent".to_owned(),
            value: value.to_owned().into(),
        }));
        let id = arbiter.start_call(frame);
        assert_eq!(arbiter.result(id), value.map_or(Value::Null, Value::from));
    }
}

pub fn an_exception_has_type_message_and_traceback(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("fail", ["grüße".into()]);
    let failure = arbiter.failure(id, ErrorKind::App).failure.expect("a failure");
    assert!(failure.exception_type.ends_with("ValueError"), "{}", failure.exception_type);
    assert_eq!((failure.message.as_str(), failure.code), ("grüße", 0));
    assert!(
        failure.traceback.contains("conformant.") || failure.traceback.contains("conformance.")
    );
}

/// SystemExit, a panic, a string: the worker survives all of it.
pub fn the_worst_that_an_action_can_throw(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("worst", Args::none());
    let failure = arbiter.failure(id, ErrorKind::App).failure.expect("a failure");
    assert!(failure.message.contains("on purpose"), "{}", failure.message);
    let id = arbiter.call("echo", ["on".into()]);
    assert_eq!(arbiter.result(id), "on".into());
}

pub fn an_app_chooses_code_and_metadata(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("chosen", Args::none());
    let failure = arbiter.failure(id, ErrorKind::App).failure.expect("a failure");
    assert_eq!((failure.message.as_str(), failure.code), ("no such row", 5));
    assert_eq!(failure.metadata.get("row").map(String::as_str), Some("7"));
}

pub fn a_missing_action(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("nonesuch", Args::none());
    let failure = arbiter.failure(id, ErrorKind::ActionNotFound).failure.expect("a failure");
    assert!(failure.message.contains("nonesuch"), "{}", failure.message);
}

pub fn a_private_action(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("_secret", Args::none());
    arbiter.failure(id, ErrorKind::ActionNotFound);
}

pub fn what_belongs_to_the_life_of_an_app_is_no_action(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    for action in ["init", "close", "preload"] {
        let id = arbiter.call(action, Args::none());
        arbiter.failure(id, ErrorKind::ActionNotFound);
    }
    let id = arbiter.call("echo", ["it lives".into()]);
    arbiter.result(id);
}

/// Callers may be anybody's encoders: what is nested too deeply, or says of itself what
/// cannot be, is refused, and the worker lives on.
pub fn arguments_beyond_the_limits(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let value = |kind| v1::Value { kind: Some(kind) };
    let deep = (0..33).fold(value(v1::value::Kind::IntValue(1)), |inner, _| {
        value(v1::value::Kind::ListValue(v1::ListValue { values: vec![inner] }))
    });
    let tensor = |dtype: &str, shape: &[i64]| {
        let (dtype, shape) = (dtype.to_owned(), shape.to_vec());
        value(v1::value::Kind::TensorValue(v1::Tensor { dtype, shape, data: vec![0; 8].into() }))
    };
    let wrong = [
        deep,
        tensor("float32", &[1 << 40, 1 << 40]),
        tensor("uint8", &[i64::MAX, 2, 0]),
        tensor("uint8", &[-1, -8]),
        tensor("float32", &[3]),
        tensor("no_such_type", &[8]),
    ];
    for value in wrong {
        let mut request = request("echo", Args::none());
        request.args.push(value);
        let id = arbiter.request(request, None);
        arbiter.failure(id, ErrorKind::InvalidRequest);
    }
    let id = arbiter.call("echo", ["it lives".into()]);
    arbiter.result(id);
}

pub fn a_result_without_a_form(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("unserialisable", Args::none());
    let failure = arbiter.failure(id, ErrorKind::ResultNotSerializable).failure.expect("a failure");
    assert!(failure.message.contains("inner"), "{}", failure.message);
}

pub fn a_result_that_is_too_large(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("repeat", ["x".into(), Value::Int(MAX_MESSAGE as i64)]);
    let failure = arbiter.failure(id, ErrorKind::MessageTooLarge).failure.expect("a failure");
    assert!(failure.message.contains(&MAX_MESSAGE.to_string()), "{}", failure.message);
    let id = arbiter.call("repeat", ["x".into(), Value::Int(MAX_MESSAGE as i64 - 100)]);
    arbiter.result(id);
}

pub fn execute_of_a_streaming_action(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("count", [3.into()]);
    arbiter.failure(id, ErrorKind::ActionStreams);
}

pub fn a_request_that_is_garbage(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let frame = arbiter.frame(&request("echo", Args::none()), None);
    let id = arbiter.start_call(Request { payload: vec![0xff; 9].into(), ..frame });
    arbiter.failure(id, ErrorKind::InvalidRequest);
}

pub fn an_argument_without_a_kind(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let mut payload = request("echo", Args::none());
    payload.args.push(v1::Value { kind: None });
    let id = arbiter.request(payload, None);
    arbiter.failure(id, ErrorKind::InvalidRequest);
}

pub fn an_app_that_is_not_loaded(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let mut payload = request("echo", Args::none());
    payload.app = "conformant:Flaky".to_owned();
    let id = arbiter.request(payload, None);
    arbiter.failure(id, ErrorKind::InvalidRequest);
}

pub fn two_calls_at_once(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 2);
    let held = arbiter.stream("count", [3.into()], 1, 1000);
    assert_eq!(arbiter.chunk(held), 0.into());
    // The first call waits for credit; a second one is served meanwhile.
    let id = arbiter.call("echo", ["meanwhile".into()]);
    assert_eq!(arbiter.result(id), "meanwhile".into());
    arbiter.credit(held, 2, 0);
    assert_eq!([arbiter.chunk(held), arbiter.chunk(held)], [1.into(), 2.into()]);
    arbiter.end(held);
}

/// Ids below 2^53 are whole numbers in every language; none may become another.
pub fn the_largest_call_ids_stay_apart(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 3);
    let last = (1 << 53) - 1;
    let [cancelled, held, third] = [last, last - 1, last - 2].map(|call_id| {
        let count = request("count", [2.into()].into());
        let frame = arbiter.frame(&count, Some((1, 1000)));
        let id = arbiter.start_call(Request { call_id, ..frame });
        assert_eq!(arbiter.chunk(id), 0.into());
        id
    });
    arbiter.cancel(cancelled, CancelReason::CallerGone);
    arbiter.failure(cancelled, ErrorKind::Cancelled);
    for id in [third, held] {
        arbiter.credit(id, 1, 0);
        assert_eq!(arbiter.chunk(id), 1.into());
        arbiter.end(id);
    }
}
