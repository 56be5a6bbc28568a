//! The chunks of a stream as text.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http_body::{Body, Frame};
use tonic::Status;

use super::{super::status::HttpError, form::Form};

/// The number of bytes of ready chunks that leave as one frame.
const GATHER: usize = 32 * 1024;

/// Chunks as they come, each in its form, and an end or an error in the same form. What is
/// ready together leaves together; nothing waits for what is not ready.
pub struct Lines<S> {
    form: Form,
    first: Option<Bytes>,
    chunks: S,
    gathered: BytesMut,
    ended: bool,
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Lines<S> {
    /// Waits for the first chunk, so that what fails before it fails with a status of HTTP.
    ///
    /// # Errors
    /// The call failed before its first chunk.
    pub async fn begun(form: Form, mut chunks: S) -> Result<Self, Status> {
        let first = chunks.next().await.transpose()?;
        let ended = first.is_none();
        let mut lines = Self { form, first, chunks, gathered: BytesMut::new(), ended };
        if ended {
            lines.put_end();
        }
        Ok(lines)
    }

    fn put(&mut self, chunk: &[u8]) {
        if self.form == Form::Events {
            self.gathered.extend_from_slice(b"data: ");
        }
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        match chunk.iter().any(is_break) {
            false => self.gathered.extend_from_slice(chunk),
            // In JSON they can only stand between its parts.
            true => {
                let plain = chunk.iter().map(|byte| if is_break(byte) { b' ' } else { *byte });
                self.gathered.extend(plain);
            }
        }
        self.gathered.extend_from_slice(if self.form == Form::Events { b"\n\n" } else { b"\n" });
    }

    /// Of events, because a browser cannot tell the end of a stream from a broken one. Of
    /// lines, HTTP tells it.
    fn put_end(&mut self) {
        if self.form == Form::Events {
            self.gathered.extend_from_slice(b"event: end\ndata: null\n\n");
        }
    }

    fn put_error(&mut self, error: &Status) {
        let error = HttpError::of(error).text();
        match self.form {
            Form::Events => {
                self.gathered.extend_from_slice(b"event: error\n");
                self.put(error.as_bytes());
            }
            Form::Lines | Form::One => self.put(format!("{{\"$error\":{error}}}").as_bytes()),
        }
    }
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Body for Lines<S> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            self.put(&first);
        }
        while !self.ended && self.gathered.len() < GATHER {
            match self.chunks.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.put(&chunk),
                Poll::Ready(Some(Err(error))) => {
                    self.put_error(&error);
                    self.ended = true;
                }
                Poll::Ready(None) => {
                    self.put_end();
                    self.ended = true;
                }
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        if self.gathered.is_empty() {
            return Poll::Ready(None);
        }
        let data = self.gathered.split().freeze();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::{call::CallError, server::status::of_call};

    type Item = Result<Bytes, Status>;

    async fn told(form: Form, items: Vec<Item>) -> String {
        let lines = Lines::begun(form, futures_util::stream::iter(items)).await.expect("begun");
        let bytes = lines.collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.into()).expect("text")
    }

    fn chunk(text: &'static str) -> Item {
        Ok(Bytes::from_static(text.as_bytes()))
    }

    fn failure() -> Item {
        Err(of_call(CallError::Cancelled, None, &Default::default()))
    }

    #[tokio::test]
    async fn each_chunk_is_a_line_or_an_event() {
        let chunks = || vec![chunk("\"a\""), chunk("[1,\n2]")];
        assert_eq!(told(Form::Lines, chunks()).await, "\"a\"\n[1, 2]\n");
        assert_eq!(
            told(Form::Events, chunks()).await,
            "data: \"a\"\n\ndata: [1, 2]\n\nevent: end\ndata: null\n\n"
        );
        assert_eq!(told(Form::Lines, Vec::new()).await, "");
        assert_eq!(told(Form::Events, Vec::new()).await, "event: end\ndata: null\n\n");
    }

    #[tokio::test]
    async fn an_error_behind_a_chunk_comes_in_the_same_form() {
        let lines = told(Form::Lines, vec![chunk("1"), failure()]).await;
        let error: serde_json::Value =
            serde_json::from_str(lines.strip_prefix("1\n").expect("a chunk")).expect("JSON");
        assert_eq!(error["$error"]["reason"], "CANCELLED");
        let events = told(Form::Events, vec![chunk("1"), failure()]).await;
        assert!(events.starts_with("data: 1\n\nevent: error\ndata: {\""), "{events}");
    }

    #[tokio::test]
    async fn an_error_before_all_chunks_is_one_of_the_request() {
        let items = futures_util::stream::iter(vec![failure()]);
        assert!(Lines::begun(Form::Events, items).await.is_err());
    }
}
