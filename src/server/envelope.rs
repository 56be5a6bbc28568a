//! Requests of `dirty.v1.Arbiter` as the arbiter reads them: the envelope, and
//! everything else as unopened bytes.

use bytes::{Buf as _, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The longest app and action names in bytes.
const MAX_NAME: usize = 255;
/// Within how many bytes both names have to be found: the search must not take
/// longer for a request that keeps them for its end.
const SEARCHED: usize = 16 * 1024;

/// An `ExecuteRequest` with its first two fields read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The app's path.
    pub app: String,
    /// The action's name.
    pub action: String,
    /// The whole message, as it came.
    pub payload: Bytes,
}

impl Envelope {
    /// A request whose names stand beside it.
    ///
    /// # Errors
    /// A name is too long.
    pub fn named(app: String, action: String, payload: Bytes) -> Result<Self, String> {
        for (field, name) in [("app", &app), ("action", &action)] {
            if name.len() > MAX_NAME {
                return Err(too_long(field, name.len() as u64));
            }
        }
        Ok(Self { app, action, payload })
    }

    /// Reads app and action and stops there, so that the cost does not depend
    /// on the arguments. Encoders write fields in the order of their numbers, so
    /// both are at the start; a few KiB of others before them are skipped.
    ///
    /// # Errors
    /// The request is malformed; the text tells the caller what is wrong.
    pub fn read(payload: Bytes) -> Result<Self, String> {
        let (mut app, mut action) = (None, None);
        let mut rest = payload.clone();
        while rest.has_remaining() && (app.is_none() || action.is_none()) {
            if payload.len() - rest.remaining() > SEARCHED {
                return Err(format!(
                    "the request does not name its app and action within its first {SEARCHED} bytes; write `app` and `action` before the arguments"
                ));
            }
            let malformed = |error| format!("the request is not an ExecuteRequest: {error}");
            let (tag, wire_type) = decode_key(&mut rest).map_err(malformed)?;
            match (tag, wire_type) {
                (1, WireType::LengthDelimited) => once("app", &mut app, &mut rest)?,
                (2, WireType::LengthDelimited) => once("action", &mut action, &mut rest)?,
                _ => skip_field(wire_type, tag, &mut rest, DecodeContext::default())
                    .map_err(malformed)?,
            }
        }
        let missing = |field: &str| format!("the request names no {field}; set `{field}`");
        let app = app.filter(|app| !app.is_empty()).ok_or_else(|| missing("app"))?;
        let action = action.filter(|name| !name.is_empty()).ok_or_else(|| missing("action"))?;
        Ok(Self { app, action, payload })
    }
}

/// Reads a name that may be there once only: workers would take another one of
/// two than the arbiter does.
fn once(field: &str, slot: &mut Option<String>, rest: &mut Bytes) -> Result<(), String> {
    match slot.replace(name(field, rest)?) {
        None => Ok(()),
        Some(_) => Err(format!("the request names `{field}` twice; set it once")),
    }
}

fn too_long(field: &str, length: u64) -> String {
    format!("`{field}` has {length} bytes, the limit is {MAX_NAME}")
}

fn name(field: &str, rest: &mut Bytes) -> Result<String, String> {
    let cut = || format!("the request is not an ExecuteRequest: `{field}` is cut short");
    let length = decode_varint(rest).map_err(|_| cut())?;
    if length > MAX_NAME as u64 {
        return Err(too_long(field, length));
    }
    let length = length as usize;
    if rest.remaining() < length {
        return Err(cut());
    }
    let bytes = rest.split_to(length);
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(format!("`{field}` is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dirtyd_client::proto::v1::{ExecuteRequest, Value};
    use proptest::prelude::*;
    use prost::Message as _;

    #[test]
    fn the_payload_is_kept_as_it_came() {
        let request = ExecuteRequest {
            app: "a:A".into(),
            action: "act".into(),
            args: vec![Value::default(); 3],
            ..ExecuteRequest::default()
        };
        let payload = Bytes::from(request.encode_to_vec());
        let envelope = Envelope::read(payload.clone()).expect("valid");
        assert_eq!((envelope.app.as_str(), envelope.action.as_str()), ("a:A", "act"));
        assert_eq!(envelope.payload.as_ptr(), payload.as_ptr(), "no copy");
    }

    #[test]
    fn fields_may_come_in_any_order() {
        let names = ExecuteRequest { app: "a".into(), action: "b".into(), ..Default::default() };
        let args = ExecuteRequest { args: vec![Value::default()], ..Default::default() };
        let mut bytes = args.encode_to_vec();
        bytes.extend(names.encode_to_vec());
        assert!(Envelope::read(bytes.into()).is_ok());
    }

    #[test]
    fn names_at_the_end_of_a_large_request_are_not_searched_for() {
        let names = ExecuteRequest { app: "a".into(), action: "b".into(), ..Default::default() };
        let many = vec![Value::default(); SEARCHED];
        let mut bytes = ExecuteRequest { args: many, ..Default::default() }.encode_to_vec();
        bytes.extend(names.encode_to_vec());
        let error = Envelope::read(bytes.into()).expect_err("refused");
        assert!(error.contains("before the arguments"), "{error}");
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let app = |app: &str| ExecuteRequest { app: app.into(), ..Default::default() };
        let action = ExecuteRequest { action: "b".into(), ..Default::default() };
        let bytes = [app("a:A"), app("b:B"), action].map(|part| part.encode_to_vec()).concat();
        let error = Envelope::read(bytes.into()).expect_err("refused");
        assert!(error.contains("`app` twice"), "{error}");
    }

    #[test]
    fn faults_name_the_field() {
        let error = |request: ExecuteRequest| {
            Envelope::read(request.encode_to_vec().into()).expect_err("refused")
        };
        assert!(error(ExecuteRequest::default()).contains("`app`"));
        let app = "a".to_owned();
        assert!(error(ExecuteRequest { app, ..Default::default() }).contains("`action`"));
        let app = "a".repeat(256);
        assert!(error(ExecuteRequest { app, ..Default::default() }).contains("255"));
        assert!(Envelope::read(Bytes::from_static(b"\x0a\xff")).is_err());
        assert!(Envelope::read(Bytes::from_static(b"\x0a\x02\xff\xfe")).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Envelope::read(bytes.into());
        }
    }
}
