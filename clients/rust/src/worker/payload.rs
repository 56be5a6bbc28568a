//! The payloads of a call: what its request holds, and its results.

use std::io::{self, Write};

use bytes::Bytes;
use prost::Message as _;

use super::{AppError, protocol::Agreement};
use crate::{
    proto::{
        v1::{ExecuteRequest, ExecuteResponse},
        worker::{ErrorKind, PayloadKind, Request},
    },
    value::{Args, Value, json},
};

/// How the payloads of a call are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As messages of `dirty.v1`.
    Message,
    /// As JSON.
    Json,
}

/// What a request asks for.
#[derive(Debug)]
pub struct Opened {
    /// How its results are encoded.
    pub form: Form,
    /// The app.
    pub app: String,
    /// The action.
    pub action: String,
    /// The arguments.
    pub args: Args,
}

/// Decodes a request; takes what it needs out of the frame.
///
/// # Errors
/// The payload is of an unknown kind or malformed.
pub fn open(request: &mut Request, agreed: &Agreement) -> Result<Opened, AppError> {
    let payload = std::mem::take(&mut request.payload);
    if !agreed.names_in_frame() {
        let (message, args) = read_message(payload)?;
        return Ok(Opened { form: Form::Message, app: message.app, action: message.action, args });
    }
    let (form, args) = match PayloadKind::try_from(request.payload_kind) {
        Ok(PayloadKind::ExecuteRequest) => (Form::Message, read_message(payload)?.1),
        Ok(PayloadKind::Json) if agreed.has_json() => (Form::Json, read_json(&payload)?),
        _ => {
            let kind = request.payload_kind;
            let why =
                format!("the request has payload kind {kind}, which this worker does not know");
            return Err(invalid(why));
        }
    };
    let (app, action) = (std::mem::take(&mut request.app), std::mem::take(&mut request.action));
    Ok(Opened { form, app, action, args })
}

fn invalid(why: String) -> AppError {
    AppError::refusal(ErrorKind::InvalidRequest, why)
}

/// Decodes a message: its names, and its arguments.
fn read_message(payload: Bytes) -> Result<(ExecuteRequest, Args), AppError> {
    let mut message = ExecuteRequest::decode(payload)
        .map_err(|error| invalid(format!("the request cannot be decoded: {error}")))?;
    let read = |value| {
        let value = Value::read(Some(value)).map_err(|error| invalid(error.to_string()))?;
        value.validate().map_err(|error| invalid(error.to_string()))?;
        Ok(value)
    };
    let args = message.args.drain(..).map(read).collect::<Result<_, AppError>>()?;
    let kwargs = (std::mem::take(&mut message.kwargs).into_iter())
        .map(|(name, value)| Ok((name, read(value)?)))
        .collect::<Result<_, AppError>>()?;
    Ok((message, Args { args, kwargs }))
}

fn read_json(payload: &[u8]) -> Result<Args, AppError> {
    json::read_args(payload)
        .map_err(|error| invalid(format!("the request cannot be decoded: {error}")))
}

impl Form {
    /// Encodes a result or a chunk, which has at most `limit` bytes. The two messages are the same
    /// on the wire.
    ///
    /// # Errors
    /// The value has no such form, or is too large.
    pub fn seal(self, value: Value, what: &str, limit: usize) -> Result<Bytes, AppError> {
        (value.validate())
            .map_err(|error| AppError::not_serializable(format!("the {what}: {error}")))?;
        match self {
            Self::Message => {
                let message = ExecuteResponse { result: Some(value.into_proto()) };
                fits(message.encoded_len(), what, limit)?;
                Ok(message.encode_to_vec().into())
            }
            Self::Json => {
                (json::check(&value))
                    .map_err(|error| AppError::not_serializable(format!("the {what}: {error}")))?;
                let mut text = Bounded { kept: Vec::new(), size: 0, limit };
                json::write(&value, &mut text).expect("a Bounded takes all");
                fits(text.size, what, limit)?;
                Ok(text.kept.into())
            }
        }
    }
}

fn fits(size: usize, what: &str, limit: usize) -> Result<(), AppError> {
    if size > limit {
        let why = format!("the {what} takes {size} bytes, max_message_size is {limit}");
        return Err(AppError::refusal(ErrorKind::MessageTooLarge, why));
    }
    Ok(())
}

/// Counts what is written, and keeps it up to the limit.
struct Bounded {
    kept: Vec<u8>,
    size: usize,
    limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.size += bytes.len();
        if self.size <= self.limit {
            self.kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{proto::worker::Welcome, value::Tensor};

    fn agreed(protocol_version: u32, capabilities: &[&str]) -> Agreement {
        let capabilities = capabilities.iter().map(|name| (*name).to_owned()).collect();
        let welcome = Welcome { protocol_version, capabilities, ..Welcome::default() };
        Agreement::of(&welcome).expect("a version of the range")
    }

    fn request(kind: i32, payload: impl Into<Bytes>) -> Request {
        let (app, action) = ("App".to_owned(), "act".to_owned());
        Request { app, action, payload_kind: kind, payload: payload.into(), ..Request::default() }
    }

    fn refused(mut request: Request, agreed: &Agreement) -> String {
        let error = open(&mut request, agreed).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        error.to_string()
    }

    #[test]
    fn json_is_read_if_both_sides_know_it() {
        let mut call = request(2, r#"{"args":[1.0],"kwargs":{"a":2}}"#);
        let opened = open(&mut call, &agreed(2, &["json"])).expect("JSON");
        assert_eq!((opened.form, opened.app.as_str()), (Form::Json, "App"));
        assert_eq!(opened.action, "act");
        assert_eq!(opened.args, Args::from([1.0.into()]).kwarg("a", 2));
    }

    #[test]
    fn kinds_that_nobody_agreed_on_are_refused() {
        for (kind, capabilities) in [(2, &[][..]), (2, &["other"]), (0, &["json"]), (3, &["json"])]
        {
            let why = refused(request(kind, "[]"), &agreed(2, capabilities));
            assert!(why.contains(&format!("payload kind {kind},")), "{why}");
        }
    }

    #[test]
    fn version_1_looks_at_no_kind() {
        let message = ExecuteRequest { app: "A".into(), action: "b".into(), ..Default::default() };
        let mut call = request(2, message.encode_to_vec());
        let opened = open(&mut call, &agreed(1, &["json"])).expect("a message");
        assert_eq!((opened.form, opened.app.as_str()), (Form::Message, "A"));
    }

    #[test]
    fn malformed_requests_say_why() {
        let why = refused(request(2, "{\"arg\":[]}"), &agreed(2, &["json"]));
        assert_eq!(
            why,
            "the request cannot be decoded: \"arg\" is not a key of a request; `args` and `kwargs` are"
        );
        refused(request(1, &b"\xff"[..]), &agreed(2, &["json"]));
    }

    #[test]
    fn results_have_the_form_of_their_request() {
        let text = Form::Json.seal("a\nb".into(), "result", 6).expect("six bytes");
        assert_eq!(text, "\"a\\nb\"");
        let message = Form::Message.seal(1.into(), "result", 4).expect("four bytes");
        assert_eq!(message, &b"\x0a\x02\x18\x01"[..]);
    }

    #[test]
    fn a_result_that_is_too_large_is_counted_and_not_kept() {
        for (form, size) in [(Form::Json, 102), (Form::Message, 104)] {
            let value = Value::from("x".repeat(100));
            assert!(form.seal(value.clone(), "chunk", size).is_ok());
            let error = form.seal(value, "chunk", size - 1).expect_err("too large");
            assert_eq!(error.kind, ErrorKind::MessageTooLarge);
            let (why, limit) = (error.to_string(), size - 1);
            assert_eq!(why, format!("the chunk takes {size} bytes, max_message_size is {limit}"));
        }
    }

    #[test]
    fn a_result_without_a_form_says_why() {
        let deep = (0..33).fold(Value::Null, |inner, _| Value::List(vec![inner]));
        let flat = Tensor { dtype: "int8".into(), shape: vec![1 << 40, 0], data: Bytes::new() };
        for (value, part) in [(deep, "32 levels"), (flat.into(), "no form as lists")] {
            let error = Form::Json.seal(value, "result", 1000).expect_err("no form");
            assert_eq!(error.kind, ErrorKind::ResultNotSerializable);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
