//! The chunks of a streaming call.

use std::path::PathBuf;

use tonic::Streaming;

use super::{Error, attempts::Deadline};
use crate::{Value, proto::v1::ExecuteStreamResponse};

/// Chunks as they come. Dropping it cancels the call: the action is closed.
#[derive(Debug)]
pub struct Stream {
    chunks: Streaming<ExecuteStreamResponse>,
    /// The first chunk, which came with the opening.
    first: Option<Value>,
    ended: bool,
    deadline: Deadline,
    socket: PathBuf,
}

impl Stream {
    /// Opens the stream: waits for its first chunk, or its end.
    pub(super) async fn open(
        chunks: Streaming<ExecuteStreamResponse>,
        deadline: Deadline,
        socket: PathBuf,
    ) -> Result<Self, Error> {
        let mut stream = Self { chunks, first: None, ended: false, deadline, socket };
        stream.first = stream.next().await.transpose()?;
        Ok(stream)
    }

    /// The next chunk; `None` at the end. After an error nothing more comes.
    pub async fn next(&mut self) -> Option<Result<Value, Error>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.ended {
            return None;
        }
        let chunk = match self.deadline.bound(self.chunks.message()).await {
            Ok(Ok(Some(response))) => Some(Value::read(response.chunk).map_err(Error::from)),
            Ok(Ok(None)) => None,
            Ok(Err(status)) => Some(Err(Error::of(status, &self.socket))),
            Err(error) => Some(Err(error)),
        };
        self.ended = !matches!(chunk, Some(Ok(_)));
        chunk
    }

    /// The chunks as a [`futures_util::Stream`].
    pub fn into_stream(self) -> impl futures_util::Stream<Item = Result<Value, Error>> + Send {
        futures_util::stream::unfold(self, |mut this| async move {
            let chunk = this.next().await?;
            Some((chunk, this))
        })
    }
}
