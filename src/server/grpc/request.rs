//! The one message of a request.

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use tonic::Status;

use super::{
    super::status,
    frame::{HEAD, SMALL},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How much of what a head announces is believed before it has come.
const BELIEVED: usize = 1024 * 1024;
/// By how much a buffer grows that is too small. What it leaves behind is little beside
/// what it has then; what is not written to yet takes address space, and no memory.
const GROWTH: usize = 32;

/// Reads the one message of a request, of at most `limit` bytes. A body that
/// announces more is refused before any of it is buffered. `room` is asked, with
/// the number of bytes that have come, whether the next part may be kept.
///
/// # Errors
/// The body is not one uncompressed message, there is no room for it, or the
/// caller left.
pub async fn read<B>(
    mut body: B,
    limit: usize,
    mut room: impl FnMut(usize) -> Result<(), Status>,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let (mut message, mut come) = (Partial::default(), 0);
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        if let Ok(data) = frame.into_data() {
            come += data.len();
            room(come)?;
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
            self.gathered.reserve(length.min(BELIEVED));
        }
        let come = self.one.as_ref().map_or(self.gathered.len(), Bytes::len);
        if come + data.len() > self.length.unwrap_or_default() {
            return Err(status::invalid_request(
                "the request has bytes beyond its one message; send one message".to_owned(),
            ));
        }
        if self.gathered.capacity() - self.gathered.len() < data.len() {
            let wanted = (GROWTH * (come + data.len())).min(self.length.unwrap_or_default());
            self.gathered.reserve(wanted.saturating_sub(self.gathered.len()));
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

/// The length that a head announces.
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
