//! Execute and ExecuteStream: from a gRPC request to a submitted call, and from
//! its outcome to a gRPC response.

use std::time::Instant;

use bytes::Bytes;
use dirtyd_client::proto::worker::Metadata;
use http::Request;
use hyper::body::Incoming;
use tonic::{
    Status,
    metadata::{KeyAndValueRef, MetadataMap},
};

use super::{
    deadline::caller_timeout,
    envelope::Envelope,
    message::{self, Message, Messages},
    status::{self, Context},
    stream::{ChunkStream, Chunked},
};
use crate::{
    call::{CallError, CallRequest, Peer, reply_channel, stream_channel},
    clock::Deadline,
    config::Window,
    pool::PoolHandle,
};

/// The metadata key of a caller's own request id.
const REQUEST_ID: &str = "x-request-id";

/// The service `dirty.v1.Arbiter`.
#[derive(Debug)]
pub struct ArbiterService {
    pool: PoolHandle,
    window: Window,
    max_message_size: usize,
}

impl ArbiterService {
    /// A service that submits to `pool` requests of up to `max_message_size`
    /// bytes; streams hold up to `window` chunks.
    pub fn new(pool: PoolHandle, window: Window, max_message_size: usize) -> Self {
        Self { pool, window, max_message_size }
    }

    /// Execute. Dropping the future cancels the call.
    ///
    /// # Errors
    /// What became of the call, if not a result.
    pub async fn execute(&self, request: Request<Incoming>, peer: Peer) -> Result<Message, Status> {
        let (call, mut context) = self.read(request, peer).await?;
        let (reply, answer) = reply_channel();
        let ticket = self.pool.submit(call, reply).await;
        context.name_request(&ticket);
        let outcome = answer.await.unwrap_or(Err((CallError::Lost, None)));
        ticket.done();
        match outcome {
            Ok(payload) => Ok(Message::new(payload)),
            Err((error, worker)) => Err(status::of_call(error, worker, &context)),
        }
    }

    /// ExecuteStream. Dropping the messages cancels the call.
    ///
    /// # Errors
    /// The request is malformed; what becomes of the call is told by the stream.
    pub async fn execute_stream(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Result<Messages<Chunked>, Status> {
        let (call, mut context) = self.read(request, peer).await?;
        let (reply, chunks) = stream_channel(self.window.chunks);
        let ticket = self.pool.submit(call, reply).await;
        context.name_request(&ticket);
        let chunks = ChunkStream::new(chunks, ticket, self.window, context).into_stream();
        Ok(Messages::new(chunks).begun().await)
    }

    async fn read(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> Result<(CallRequest, Context), Status> {
        let (head, body) = request.into_parts();
        let message = message::read(body, self.max_message_size).await?;
        let envelope = Envelope::read(message).map_err(status::invalid_request)?;
        call(MetadataMap::from_headers(head.headers), envelope, peer)
    }
}

fn call(
    metadata: MetadataMap,
    envelope: Envelope,
    peer: Peer,
) -> Result<(CallRequest, Context), Status> {
    let arrived = Instant::now();
    let request_id = metadata
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .map(|id| id.chars().take(128).collect::<String>())
        .unwrap_or_default();
    let Envelope { app, action, payload } = envelope;
    let context =
        Context { app: app.clone(), action: action.clone(), request_id: request_id.clone() };
    let refuse = |error| status::of_call(error, None, &context);
    if action.starts_with('_') {
        let message =
            format!("action `{action}` is private: names that start with `_` cannot be called");
        return Err(refuse(CallError::ActionNotFound { message }));
    }
    let timeout = caller_timeout(&metadata)
        .map_err(|message| refuse(CallError::InvalidRequest { message }))?;
    let call = CallRequest {
        app,
        action,
        payload,
        arrived,
        peer,
        caller_deadline: timeout
            .map_or(Deadline::Never, |timeout| Deadline::after(arrived, timeout)),
        request_id,
        metadata: forwarded(&metadata),
    };
    Ok((call, context))
}

/// The caller's own metadata: all but what belongs to HTTP/2 and gRPC.
fn forwarded(metadata: &MetadataMap) -> Vec<Metadata> {
    let is_own = |key: &str| {
        !key.starts_with("grpc-") && !matches!(key, "te" | "content-type" | "user-agent")
    };
    let entry = |entry: KeyAndValueRef<'_>| match entry {
        KeyAndValueRef::Ascii(key, value) if is_own(key.as_str()) => Some(Metadata {
            key: key.as_str().to_owned(),
            value: Bytes::copy_from_slice(value.as_bytes()),
        }),
        KeyAndValueRef::Binary(key, value) if is_own(key.as_str()) => {
            Some(Metadata { key: key.as_str().to_owned(), value: value.to_bytes().ok()? })
        }
        _ => None,
    };
    metadata.iter().filter_map(entry).collect()
}
