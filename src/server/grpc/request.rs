//! The one message of a request.

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use tonic::Status;
use tower::BoxError;

use super::{
    super::{body::Parts, status},
    frame::HEAD,
};

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
    /// A part of its head, until that is read.
    head: BytesMut,
    length: usize,
    parts: Option<Parts>,
}

impl Partial {
    fn add(&mut self, mut data: Bytes, limit: usize) -> Result<(), Status> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => {
                let head = HEAD - self.head.len();
                if data.len() < head {
                    self.head.put(data);
                    return Ok(());
                }
                self.head.put(data.split_to(head));
                self.length = length(&self.head, limit)?;
                none.insert(Parts::new(self.length))
            }
        };
        if parts.len() + data.len() > self.length {
            return Err(status::invalid_request(
                "the request has bytes beyond its one message; send one message".to_owned(),
            ));
        }
        parts.add(data);
        Ok(())
    }

    fn whole(self) -> Result<Bytes, Status> {
        let Some(parts) = self.parts else {
            return Err(status::invalid_request("the request has no message".to_owned()));
        };
        match parts.len() == self.length {
            true => Ok(parts.whole()),
            false => Err(status::invalid_request(format!(
                "the request ends after {} of {} bytes",
                parts.len(),
                self.length
            ))),
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
