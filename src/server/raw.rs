//! Requests of `dirty.v1.Arbiter` as the arbiter reads them: the envelope, and
//! everything else as unopened bytes.

use bytes::{Buf as _, BufMut as _, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

pub(super) use generated::arbiter_server;

#[allow(clippy::all)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/raw/dirty.v1.Arbiter.rs"));
}

/// The longest app and action names in bytes.
const MAX_NAME: usize = 255;
/// The first buffer of a call in bytes; tonic's default of 8 KiB is more than
/// most calls need.
const BUFFER: usize = 1024;
/// How much of a stream tonic gathers into one write, in bytes.
const GATHER: usize = 32 * 1024;

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
    /// Reads app and action and stops there, so that the cost does not depend
    /// on the arguments. Encoders write fields in the order of their numbers,
    /// so that is at the start; arguments before them are skipped.
    ///
    /// # Errors
    /// What is wrong, for the caller.
    pub fn read(payload: Bytes) -> Result<Self, String> {
        let (mut app, mut action) = (None, None);
        let mut rest = payload.clone();
        while rest.has_remaining() && (app.is_none() || action.is_none()) {
            let malformed = |error| format!("the request is no ExecuteRequest: {error}");
            let (tag, wire_type) = decode_key(&mut rest).map_err(malformed)?;
            match (tag, wire_type) {
                (1, WireType::LengthDelimited) => app = Some(name("app", &mut rest)?),
                (2, WireType::LengthDelimited) => action = Some(name("action", &mut rest)?),
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

fn name(field: &str, rest: &mut Bytes) -> Result<String, String> {
    let cut = || format!("the request is no ExecuteRequest: `{field}` is cut short");
    let length = decode_varint(rest).map_err(|_| cut())?;
    if length > MAX_NAME as u64 {
        return Err(format!("`{field}` has {length} bytes, the limit is {MAX_NAME}"));
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

/// The codec of the raw service: requests to envelopes, responses as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Envelope;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(item.len());
        buffer.put(item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, GATHER)
    }
}

impl Decoder for RawCodec {
    type Item = Envelope;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Envelope>, Status> {
        let payload = buffer.copy_to_bytes(buffer.remaining());
        Envelope::read(payload).map(Some).map_err(super::status::invalid_request)
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, GATHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{ExecuteRequest, Value};
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
