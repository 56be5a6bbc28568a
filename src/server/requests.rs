//! Requests of `dirty.v1.Arbiter`, and those with JSON: from what comes to a call that may
//! be submitted.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::body::Incoming;
use tonic::{Status, metadata::MetadataMap};

use super::{
    access::Caller,
    arrival::{Arriving, Times},
    body, deadline,
    dialect::{self, Codec, Described, Dialect},
    envelope::Envelope,
    grpc,
    held::Held,
    json,
    metadata::{self, Headers},
    status,
};
use crate::{
    call::{CallError, CallFacts, CallRequest, PayloadKind, Protocol, Story},
    config::Limits,
    observe::{Observer, Watch},
};

/// The largest request to another service in bytes, which is what tonic reads.
const OF_OTHERS: usize = 4 * 1024 * 1024;

/// A call that may be submitted, and who watches it.
pub type Asked = (Box<CallRequest>, Watch);

/// How a request came, and whether it is an ExecuteStream.
pub type Kind = (Protocol, bool);

/// What reads requests, within limits.
#[derive(Debug)]
pub struct Requests {
    max_message_size: usize,
    max_header_size: usize,
    request_timeout: Duration,
    held: Held,
    observer: Arc<Observer>,
}

impl Requests {
    /// Within these limits. What is kept of them is counted in `held`, and what becomes of
    /// them told to `observer`.
    pub fn new(limits: Limits, held: Held, observer: Arc<Observer>) -> Self {
        let Limits { max_message_size, max_header_size, request_timeout, .. } = limits;
        let max_header_size = max_header_size as usize;
        Self { max_message_size, max_header_size, request_timeout, held, observer }
    }

    /// Reads a request of gRPC.
    ///
    /// # Errors
    /// It cannot be read, or may not call what it names.
    pub async fn read(
        &self,
        request: Request<Incoming>,
        stream: bool,
        caller: &Caller,
    ) -> Result<Asked, Status> {
        let (head, body) = request.into_parts();
        let mut arriving = self.arriving(&head.headers, caller)?;
        let metadata = MetadataMap::from_headers(head.headers);
        let times = Times::of(&metadata, &deadline::GRPC, self.request_timeout)?;
        let room = |bytes| arriving.keep(bytes);
        let message = times.whole(grpc::read(body, self.max_message_size, room)).await?;
        let envelope = Envelope::read(arriving.around(message)).map_err(status::invalid_request)?;
        let kind = (Protocol::Grpc, stream);
        self.call(
            (&metadata, Headers::Grpc),
            kind,
            envelope,
            PayloadKind::ExecuteRequest,
            caller,
            times,
        )
    }

    /// Reads a request of the method in a dialect of gRPC.
    ///
    /// # Errors
    /// It cannot be read, or may not call what it names.
    pub async fn read_in(
        &self,
        dialect: Dialect,
        described: Described<'_>,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Asked, Status> {
        let (head, body) = request.into_parts();
        let mut arriving = self.arriving(&head.headers, caller)?;
        dialect.check(&head.headers)?;
        let metadata = MetadataMap::from_headers(head.headers);
        let times = Times::of(&metadata, dialect.timeout(), self.request_timeout)?;
        let room = |bytes| arriving.keep(bytes);
        let message = dialect::message(dialect, body, self.max_message_size, room);
        let message = times.whole(message).await?;
        let message = arriving.around(message);
        let message = match dialect.codec {
            Codec::Proto => message,
            Codec::Json => {
                let message = described.to_proto(message).await?;
                let held = self.held.hold(caller.peer.principal(), message);
                held.map_err(status::no_room_for_request)?
            }
        };
        let envelope = Envelope::read(message).map_err(status::invalid_request)?;
        let kind = (dialect.protocol(), described.method.streams);
        self.call(
            (&metadata, Headers::Http),
            kind,
            envelope,
            PayloadKind::ExecuteRequest,
            caller,
            times,
        )
    }

    /// Reads a request of a method of another service, and makes it one of gRPC.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read_other(
        &self,
        dialect: Dialect,
        described: Described<'_>,
        request: Request<Incoming>,
        caller: &Caller,
    ) -> Result<Request<Full<Bytes>>, Status> {
        let (mut head, body) = request.into_parts();
        let mut arriving = self.arriving(&head.headers, caller)?;
        dialect.check(&head.headers)?;
        let metadata = MetadataMap::from_headers(std::mem::take(&mut head.headers));
        let times = Times::of(&metadata, dialect.timeout(), self.request_timeout)?;
        let room = |bytes| arriving.keep(bytes);
        let envelopes = dialect::envelopes(dialect, body, OF_OTHERS, room);
        let envelopes = times.whole(envelopes).await?;
        let mut envelopes = arriving.around(envelopes);
        if dialect.codec == Codec::Json {
            envelopes = described.all_to_proto(envelopes).await?;
        }
        head.headers = dialect::as_grpc(metadata.into_headers());
        Ok(Request::from_parts(head, Full::new(envelopes)))
    }

    /// Reads a request whose arguments are JSON.
    ///
    /// # Errors
    /// It cannot be read, or may not call what it names.
    pub async fn read_json(
        &self,
        request: Request<Incoming>,
        (app, action): (String, String),
        stream: bool,
        caller: &Caller,
    ) -> Result<Asked, Status> {
        let (head, body) = request.into_parts();
        let mut arriving = self.arriving(&head.headers, caller)?;
        json::is_readable(&head.headers)?;
        let metadata = MetadataMap::from_headers(head.headers);
        let times = Times::of(&metadata, &deadline::GRPC, self.request_timeout)?;
        let room = |bytes| arriving.keep(bytes);
        let body = times.whole(body::gather(body, self.max_message_size, room)).await?;
        let envelope = Envelope::named(app, action, arriving.around(body));
        let envelope = envelope.map_err(status::invalid_request)?;
        let kind = (Protocol::Http, stream);
        self.call((&metadata, Headers::Http), kind, envelope, PayloadKind::Json, caller, times)
    }

    /// What is kept of a request with these headers, of which nothing else has come.
    fn arriving(&self, headers: &HeaderMap, caller: &Caller) -> Result<Arriving<'_>, Status> {
        let of = caller.peer.principal();
        self.held.has_room(of).map_err(status::no_room_for_request)?;
        let head = self.head_size(headers)?;
        Arriving::new(&self.held, of, head)
    }

    fn call(
        &self,
        (metadata, headers): (&MetadataMap, Headers),
        kind: Kind,
        envelope: Envelope,
        payload_kind: PayloadKind,
        caller: &Caller,
        times: Times,
    ) -> Result<Asked, Status> {
        let Envelope { app, action, payload } = envelope;
        caller.may_call(&app).map_err(|denied| status::of_denied(&denied))?;
        let refuse = |error| {
            let request_id = metadata::request_id_in(metadata);
            let (app, action) = (app.clone(), action.clone());
            status::of_call(error, None, &CallFacts { app, action, request_id, call: None })
        };
        if let Err(message) = may_be_called(&action) {
            return Err(refuse(CallError::ActionNotFound { message }));
        }
        let mut metadata = metadata::forwarded(metadata, headers)
            .map_err(|message| refuse(CallError::InvalidRequest { message }))?;
        let request_id = metadata::request_id(&metadata);
        let span = self.observer.span(metadata::traceparent(&metadata)).map(Box::new);
        if let Some(span) = span.as_ref().filter(|span| span.sampled) {
            metadata::set_traceparent(&mut metadata, span.traceparent());
        }
        let Times { arrived, caller_deadline, .. } = times;
        let (peer, size) = (caller.peer.clone(), payload.len() as u64);
        let names = self.observer.tally().names(&app, &action);
        let story = Story::new(names, request_id.clone(), peer.clone(), kind, arrived, size);
        let story = Arc::new(story.until(caller_deadline).in_trace(span));
        let call = CallRequest {
            app,
            action,
            payload,
            payload_kind,
            arrived,
            peer,
            quota: caller.rights.quota,
            caller_deadline,
            request_id,
            metadata,
            story: Some(Arc::clone(&story)),
        };
        Ok((Box::new(call), self.observer.watch(story)))
    }

    /// Reports to the observer a request that was refused before there was a call.
    pub fn refused(&self, caller: &Caller, kind: Kind, error: &Status) {
        let names = status::names(error);
        let names = names.each_ref().map(String::as_str);
        self.observer.refused(&caller.peer, kind, names, status::failed(error));
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
