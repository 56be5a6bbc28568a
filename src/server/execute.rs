//! Calls: from a request, of gRPC or with JSON, to a submitted call, and from its outcome
//! to an answer.

use std::time::Duration;

use bytes::Bytes;
use dirtyd_client::proto::worker::Metadata;
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use tonic::{
    Status,
    metadata::{KeyAndValueRef, MetadataMap},
};

use super::{
    access::Caller,
    arrival::{Arriving, Times},
    chunks::{self, EncodedChunks},
    envelope::Envelope,
    grpc::{self, StreamingBody, UnaryBody},
    held::Held,
    json,
    outstanding::{Outstanding, OutstandingAnswer},
    status::{self, CallFacts},
};
use crate::{
    call::{CallError, CallRequest, Hold, PayloadKind, reply_channel, stream_channel},
    config::{Limits, Window},
    pool::{PoolHandle, Snapshot},
};

/// The metadata key of a caller's own request id.
const REQUEST_ID: &str = "x-request-id";
/// The longest request id in characters; what follows is cut.
const MAX_REQUEST_ID: usize = 128;

/// The service `dirty.v1.Arbiter`.
#[derive(Debug)]
pub struct ArbiterService {
    pool: PoolHandle,
    window: Window,
    max_message_size: usize,
    max_header_size: usize,
    request_timeout: Duration,
    held: Held,
}

impl ArbiterService {
    /// A service that submits requests within `limits` to `pool`. A stream runs
    /// ahead of its reader by up to `window`.
    /// What it holds for callers is counted in `held`.
    pub fn new(pool: PoolHandle, window: Window, limits: Limits, held: Held) -> Self {
        let Limits { max_message_size, max_header_size, request_timeout, .. } = limits;
        let max_header_size = max_header_size as usize;
        Self { pool, window, max_message_size, max_header_size, request_timeout, held }
    }

    /// The number of calls that the pool has.
    pub async fn calls(&self) -> usize {
        self.pool.status().await.map_or(0, |snapshot| snapshot.calls)
    }

    /// The pool, as it is.
    pub async fn snapshot(&self) -> Result<Snapshot, Status> {
        self.pool.status().await.ok_or_else(status::draining)
    }

    /// Execute. Dropping the future cancels the call. Its answer is one of `answers`.
    ///
    /// # Errors
    /// Why the call has no result.
    pub async fn execute(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(UnaryBody, OutstandingAnswer), Status> {
        let (call, mut facts) = self.read(request, caller).await?;
        let (result, outstanding) = self.run(call, &mut facts, caller, answers).await?;
        Ok((UnaryBody::new(result), outstanding))
    }

    /// ExecuteStream. Dropping the body cancels the call. Its answer is one of
    /// `answers`.
    ///
    /// # Errors
    /// The request is malformed. The end of the stream tells what became of the
    /// call.
    pub async fn execute_stream(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(StreamingBody<EncodedChunks>, OutstandingAnswer), Status> {
        let asked = self.read(request, caller).await?;
        let (chunks, outstanding) = self.stream(asked, caller, answers).await;
        Ok((StreamingBody::new(chunks).begun().await, outstanding))
    }

    /// A call whose arguments and result are JSON. Dropping the future cancels the call.
    /// Its answer is one of `answers`.
    ///
    /// # Errors
    /// Why the call has no result.
    pub async fn execute_json(
        &self,
        request: Request<Incoming>,
        (app, action): (String, String),
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(Bytes, OutstandingAnswer), Status> {
        let (call, mut facts) = self.read_json(request, (app, action), caller).await?;
        self.run(call, &mut facts, caller, answers).await
    }

    /// The same for a call that streams.
    ///
    /// # Errors
    /// The request is malformed. The end of the stream tells what became of the call.
    pub async fn stream_json(
        &self,
        request: Request<Incoming>,
        (app, action): (String, String),
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(EncodedChunks, OutstandingAnswer), Status> {
        let asked = self.read_json(request, (app, action), caller).await?;
        Ok(self.stream(asked, caller, answers).await)
    }

    /// `facts` are lent, because a future that owns them is larger for every call.
    async fn run(
        &self,
        call: Box<CallRequest>,
        facts: &mut CallFacts,
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(Bytes, OutstandingAnswer), Status> {
        let outstanding = answers.begin();
        let (reply, answer) = reply_channel();
        let ticket = self.pool.submit(call, reply).await;
        facts.call = Some(ticket.call());
        let outcome = answer.await.unwrap_or(Err((CallError::Lost, None)));
        ticket.done();
        match outcome {
            Ok(payload) => match self.held.hold(caller.peer.principal(), payload) {
                Ok(payload) => Ok((payload, outstanding)),
                Err(no_room) => Err(status::no_room_for_result(no_room, facts)),
            },
            Err((error, worker)) => Err(status::of_call(error, worker, facts)),
        }
    }

    async fn stream(
        &self,
        (call, mut facts): Asked,
        caller: &Caller,
        answers: &Outstanding,
    ) -> (EncodedChunks, OutstandingAnswer) {
        let outstanding = answers.begin();
        let of = caller.peer.principal();
        let held = self.held.clone();
        let hold = Hold::new(move |chunk| held.hold(of, chunk).ok());
        let (reply, chunks) = stream_channel(self.window.chunks, hold);
        let ticket = self.pool.submit(call, reply).await;
        facts.call = Some(ticket.call());
        let held = (self.held.clone(), of);
        (chunks::encoded(chunks, ticket, self.window, held, facts), outstanding)
    }

    /// The size of a head in bytes.
    ///
    /// # Errors
    /// It is too large.
    pub fn head_size(&self, headers: &HeaderMap) -> Result<usize, Status> {
        let size = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        match size > self.max_header_size {
            true => Err(status::head_too_large(size, self.max_header_size)),
            false => Ok(size),
        }
    }

    async fn read(&self, request: Request<Incoming>, caller: &Caller) -> Result<Asked, Status> {
        let (head, body) = request.into_parts();
        let mut arriving = self.arriving(&head.headers, caller)?;
        let metadata = MetadataMap::from_headers(head.headers);
        let times = Times::of(&metadata, self.request_timeout)?;
        let room = |bytes| arriving.keep(bytes);
        let message = times.whole(grpc::read(body, self.max_message_size, room)).await?;
        let envelope = Envelope::read(arriving.around(message)).map_err(status::invalid_request)?;
        call(&metadata, is_own_metadata, envelope, PayloadKind::ExecuteRequest, caller, times)
    }

    async fn read_json(
        &self,
        request: Request<Incoming>,
        (app, action): (String, String),
        caller: &Caller,
    ) -> Result<Asked, Status> {
        let (head, body) = request.into_parts();
        let mut arriving = self.arriving(&head.headers, caller)?;
        json::is_readable(&head.headers)?;
        let metadata = MetadataMap::from_headers(head.headers);
        let times = Times::of(&metadata, self.request_timeout)?;
        let room = |bytes| arriving.keep(bytes);
        let body = times.whole(json::read(body, self.max_message_size, room)).await?;
        let envelope = Envelope::named(app, action, arriving.around(body));
        let envelope = envelope.map_err(status::invalid_request)?;
        let is_own = |key: &str| is_own_metadata(key) && json::is_own_header(key);
        call(&metadata, is_own, envelope, PayloadKind::Json, caller, times)
    }

    /// What is kept of a request with these headers, of which nothing else has come.
    fn arriving(&self, headers: &HeaderMap, caller: &Caller) -> Result<Arriving<'_>, Status> {
        let of = caller.peer.principal();
        self.held.has_room(of).map_err(status::no_room_for_request)?;
        let head = self.head_size(headers)?;
        Arriving::new(&self.held, of, head)
    }
}

/// A call that may be submitted.
type Asked = (Box<CallRequest>, CallFacts);

fn call(
    metadata: &MetadataMap,
    is_own: impl Fn(&str) -> bool,
    envelope: Envelope,
    payload_kind: PayloadKind,
    caller: &Caller,
    times: Times,
) -> Result<Asked, Status> {
    let request_id = metadata
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .map(|id| id.chars().take(MAX_REQUEST_ID).collect::<String>())
        .unwrap_or_default();
    let Envelope { app, action, payload } = envelope;
    caller.may_call(&app).map_err(|denied| status::of_denied(&denied))?;
    let facts = CallFacts {
        app: app.clone(),
        action: action.clone(),
        request_id: request_id.clone(),
        call: None,
    };
    let refuse = |error| status::of_call(error, None, &facts);
    if let Err(message) = may_be_called(&action) {
        return Err(refuse(CallError::ActionNotFound { message }));
    }
    let metadata = forwarded(metadata, is_own)
        .map_err(|message| refuse(CallError::InvalidRequest { message }))?;
    let call = CallRequest {
        app,
        action,
        payload,
        payload_kind,
        arrived: times.arrived,
        peer: caller.peer.clone(),
        quota: caller.rights.quota,
        caller_deadline: times.caller_deadline,
        request_id,
        metadata,
    };
    Ok((Box::new(call), facts))
}

/// Names that no caller may use, whatever an app has under them.
fn may_be_called(action: &str) -> Result<(), String> {
    match action {
        "init" | "close" | "preload" => {
            Err(format!("`{action}` is not an action; the worker calls it itself"))
        }
        _ if action.starts_with('_') => {
            Err(format!("action `{action}` is private: names that start with `_` cannot be called"))
        }
        _ => Ok(()),
    }
}

/// Whether metadata is the caller's, and not gRPC's.
fn is_own_metadata(key: &str) -> bool {
    !key.starts_with("grpc-") && !matches!(key, "te" | "content-type" | "user-agent" | "x-timeout")
}

/// The caller's own metadata.
///
/// # Errors
/// A value is not what its key says.
fn forwarded(
    metadata: &MetadataMap,
    is_own: impl Fn(&str) -> bool,
) -> Result<Vec<Metadata>, String> {
    let entry = |entry: KeyAndValueRef<'_>| match entry {
        KeyAndValueRef::Ascii(key, value) if is_own(key.as_str()) => Some(Ok(Metadata {
            key: key.as_str().to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        })),
        KeyAndValueRef::Binary(key, value) if is_own(key.as_str()) => {
            Some(match value.to_bytes() {
                Ok(value) => Ok(Metadata { key: key.as_str().to_owned(), value }),
                Err(_) => Err(format!(
                    "the metadata `{key}` is not base64, which a key that ends with -bin needs"
                )),
            })
        }
        _ => None,
    };
    metadata.iter().filter_map(entry).collect()
}
