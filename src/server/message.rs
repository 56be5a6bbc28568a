//! Messages of gRPC in bodies of HTTP/2: a flag, four bytes of length, and the
//! message itself.
//!
//! tonic's codecs gather each message in a buffer of its own, on either way.
//! Here a message passes as the bytes that came, and only small ones are copied:
//! they would keep a buffer of the connection alive that is larger than they.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tonic::Status;

use super::status;

/// The flag and the length.
const HEAD: usize = 5;
/// Messages up to this size in bytes are copied.
const SMALL: usize = 4096;
/// How many bytes of ready chunks leave as one frame.
const GATHER: usize = 32 * 1024;
/// How long the headers of a stream wait for its first chunk.
const HEADERS_WAIT: Duration = Duration::from_millis(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reads the one message of a request, of at most `limit` bytes; a body that
/// announces more is refused before any of it is buffered.
///
/// # Errors
/// The body is not one uncompressed message, or the caller left.
pub async fn read<B>(mut body: B, limit: usize) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let mut message = Partial::default();
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        if let Ok(data) = frame.into_data() {
            message.add(data, limit)?;
        }
    }
    message.whole()
}

/// A message of which a part has come.
#[derive(Default)]
struct Partial {
    /// All of it, if it came in one piece.
    one: Option<Bytes>,
    /// Its bytes, once its head is read; before, a part of its head.
    gathered: BytesMut,
    length: Option<usize>,
}

impl Partial {
    fn add(&mut self, mut data: Bytes, limit: usize) -> Result<(), Status> {
        if self.length.is_none() {
            let head = HEAD - self.gathered.len();
            if data.len() < head {
                self.gathered.put(data);
                return Ok(());
            }
            self.gathered.put(data.split_to(head));
            let length = length(&self.gathered, limit)?;
            self.length = Some(length);
            self.gathered.clear();
            if data.len() == length && length > SMALL {
                self.one = Some(data);
                return Ok(());
            }
            self.gathered.reserve(length);
        }
        let come = self.one.as_ref().map_or(self.gathered.len(), Bytes::len);
        if come + data.len() > self.length.unwrap_or_default() {
            return Err(status::invalid_request(
                "the request has bytes beyond its one message".to_owned(),
            ));
        }
        self.gathered.put(data);
        Ok(())
    }

    fn whole(self) -> Result<Bytes, Status> {
        let message = self.one.unwrap_or_else(|| self.gathered.freeze());
        match self.length {
            Some(length) if length == message.len() => Ok(message),
            Some(length) => Err(status::invalid_request(format!(
                "the request ends after {} of {length} bytes",
                message.len()
            ))),
            None => Err(status::invalid_request("the request has no message".to_owned())),
        }
    }
}

/// What a head says of its message.
fn length(head: &[u8], limit: usize) -> Result<usize, Status> {
    let (flag, mut length) = (head[0], [0; 4]);
    length.copy_from_slice(&head[1..HEAD]);
    let length = u32::from_be_bytes(length) as usize;
    match flag {
        0 if length <= limit => Ok(length),
        0 => Err(status::request_too_large(length as u64, limit)),
        _ => Err(status::compressed()),
    }
}

/// The answer to Execute: one message, then OK.
pub struct Message {
    data: [Option<Bytes>; 2],
    ended: bool,
}

impl Message {
    /// Answers with an encoded message.
    pub fn new(message: Bytes) -> Self {
        let mut head = BytesMut::with_capacity(HEAD + message.len().min(SMALL));
        let rest = put(&mut head, message);
        Self { data: [Some(head.freeze()), rest], ended: false }
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let data = self.data.iter_mut().find_map(Option::take);
        Poll::Ready(match data {
            Some(data) => Some(Ok(Frame::data(data))),
            None if !std::mem::replace(&mut self.ended, true) => Some(Ok(Frame::trailers(ok()))),
            None => None,
        })
    }
}

/// The answer to ExecuteStream: messages as they come, then how it ended. What
/// is ready together leaves together; nothing waits for what is not.
pub struct Messages<S> {
    chunks: S,
    gathered: BytesMut,
    large: Option<Bytes>,
    end: End,
}

/// How far a stream is from its end.
enum End {
    Open,
    /// These trailers are to be sent.
    Trailers(HeaderMap),
    Sent,
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Messages<S> {
    /// Answers with encoded messages.
    pub fn new(chunks: S) -> Self {
        let gathered = BytesMut::new();
        Self { chunks, gathered, large: None, end: End::Open }
    }

    /// Waits until there is something to send, but not for long: so that the
    /// first chunk leaves together with the headers, and the caller is woken once
    /// for both; one whose first chunk takes its time gets the headers before it.
    pub async fn begun(mut self) -> Self {
        let begun = std::future::poll_fn(|cx| self.gather(cx));
        let _ = tokio::time::timeout(HEADERS_WAIT, begun).await;
        self
    }

    /// Gathers what is ready; gives whether there is anything to send.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while matches!(self.end, End::Open) && self.large.is_none() {
            match self.chunks.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(chunk))) => self.large = put(&mut self.gathered, chunk),
                Poll::Ready(Some(Err(status))) => self.end = End::Trailers(trailers(&status)),
                Poll::Ready(None) => self.end = End::Trailers(ok()),
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
            if self.gathered.len() >= GATHER {
                break;
            }
        }
        Poll::Ready(())
    }
}

impl<S: Stream<Item = Result<Bytes, Status>> + Unpin> Body for Messages<S> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.gathered.is_empty()
            && let Some(large) = self.large.take()
        {
            return Poll::Ready(Some(Ok(Frame::data(large))));
        }
        std::task::ready!(self.gather(cx));
        if !self.gathered.is_empty() {
            let data = self.gathered.split().freeze();
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(match std::mem::replace(&mut self.end, End::Sent) {
            End::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
            End::Open | End::Sent => None,
        })
    }
}

/// Appends a message to `buffer`; gives it back if it is to follow as it is.
fn put(buffer: &mut BytesMut, message: Bytes) -> Option<Bytes> {
    buffer.put_u8(0);
    buffer.put_u32(message.len() as u32);
    if message.len() > SMALL {
        return Some(message);
    }
    buffer.put(message);
    None
}

fn ok() -> HeaderMap {
    const STATUS: HeaderName = HeaderName::from_static("grpc-status");
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))])
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // It only fails for a message that is no header's value, which tonic encodes.
    let _ = status.add_header(&mut trailers);
    trailers
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
