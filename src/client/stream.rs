//! The chunks of a streaming call.

use std::path::PathBuf;

use tonic::Streaming;

use super::{Error, Value};
use crate::proto::v1::ExecuteStreamResponse;

/// Chunks as they come. Dropping it cancels the call: the action is closed.
#[derive(Debug)]
pub struct Stream {
    chunks: Streaming<ExecuteStreamResponse>,
    socket: PathBuf,
}

impl Stream {
    pub(super) fn new(chunks: Streaming<ExecuteStreamResponse>, socket: PathBuf) -> Self {
        Self { chunks, socket }
    }

    /// The next chunk; `None` at the end. After an error nothing more comes.
    pub async fn next(&mut self) -> Option<Result<Value, Error>> {
        match self.chunks.message().await {
            Ok(Some(response)) => Some(Value::read(response.chunk).map_err(Error::from)),
            Ok(None) => None,
            Err(status) => Some(Err(Error::of(status, &self.socket))),
        }
    }
}
