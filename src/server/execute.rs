//! Execute and ExecuteStream: from a gRPC request to a submitted call, and from
//! its outcome to a gRPC response.

use std::{pin::Pin, time::Instant};

use bytes::Bytes;
use futures_util::Stream;
use tonic::{
    Request, Response, Status,
    metadata::{KeyAndValueRef, MetadataMap},
};

use super::{
    deadline::caller_timeout,
    raw::{Envelope, arbiter_server::Arbiter},
    status::{self, Context},
    stream::ChunkStream,
};
use crate::{
    call::{CallError, CallRequest, reply_channel, stream_channel},
    config::Window,
    pool::PoolHandle,
    proto::worker::Metadata,
};

/// The metadata key of a caller's own request id.
const REQUEST_ID: &str = "x-request-id";

/// The service `dirty.v1.Arbiter`.
#[derive(Debug, Clone)]
pub struct ArbiterService {
    pool: PoolHandle,
    window: Window,
}

impl ArbiterService {
    /// A service that submits to `pool`; streams hold up to `window` chunks.
    pub fn new(pool: PoolHandle, window: Window) -> Self {
        Self { pool, window }
    }
}

#[tonic::async_trait]
impl Arbiter for ArbiterService {
    type ExecuteStreamStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

    async fn execute(&self, request: Request<Envelope>) -> Result<Response<Bytes>, Status> {
        let (call, mut context) = read(request)?;
        let (reply, answer) = reply_channel();
        let ticket = self.pool.submit(call, reply).await;
        context.name_request(&ticket);
        let outcome = answer.await.unwrap_or(Err((CallError::Lost, None)));
        ticket.done();
        match outcome {
            Ok(payload) => Ok(Response::new(payload)),
            Err((error, worker)) => Err(status::of_call(error, worker, &context)),
        }
    }

    async fn execute_stream(
        &self,
        request: Request<Envelope>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        let (call, mut context) = read(request)?;
        let (reply, chunks) = stream_channel(self.window.chunks);
        let ticket = self.pool.submit(call, reply).await;
        context.name_request(&ticket);
        let stream = ChunkStream::new(chunks, ticket, self.window, context);
        Ok(Response::new(Box::pin(stream.into_stream())))
    }
}

fn read(request: Request<Envelope>) -> Result<(CallRequest, Context), Status> {
    let arrived = Instant::now();
    let (metadata, _, envelope) = request.into_parts();
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
        caller_deadline: timeout.and_then(|timeout| arrived.checked_add(timeout)),
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
