//! The body of a request, gathered unopened.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use tonic::Status;
use tower::BoxError;

use super::{grpc::SMALL, status};

/// Reads a body of at most `limit` bytes. `room` is asked, with the number of bytes that
/// have come, whether the next part may be kept.
///
/// # Errors
/// It is too large, there is no room for it, or the caller left.
pub async fn gather<B>(
    mut body: B,
    limit: usize,
    mut room: impl FnMut(usize) -> Result<(), Status>,
) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let size = body.size_hint();
    if size.lower() > limit as u64 {
        return Err(status::request_too_large(size.lower(), limit));
    }
    let expected = size.exact().map_or(limit, |exact| exact as usize);
    let mut parts = Parts::new(expected);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        let come = parts.len() + data.len();
        if come > limit {
            return Err(status::request_too_large(come as u64, limit));
        }
        room(come)?;
        parts.add(data);
    }
    Ok(parts.whole())
}

/// How much of what is expected is believed before it has come.
const BELIEVED: usize = 1024 * 1024;
/// By how much a buffer grows that is too small. What it leaves behind is little beside
/// what it has then; what is not written to yet takes address space, and no memory.
const GROWTH: usize = 32;

/// Bytes that come in parts. Large ones that come in one are not copied; small ones are,
/// because they would keep a buffer of the connection alive that is larger than they are.
#[derive(Debug)]
pub struct Parts {
    one: Option<Bytes>,
    gathered: BytesMut,
    expected: usize,
}

impl Parts {
    /// Of which at most so many bytes are expected.
    pub fn new(expected: usize) -> Self {
        Self { one: None, gathered: BytesMut::new(), expected }
    }

    /// The number of bytes that have come.
    pub fn len(&self) -> usize {
        self.one.as_ref().map_or(self.gathered.len(), Bytes::len)
    }

    /// Adds what has come.
    pub fn add(&mut self, data: Bytes) {
        if self.one.is_none() && self.gathered.is_empty() && data.len() > SMALL {
            self.one = Some(data);
            return;
        }
        let come = self.len() + data.len();
        if let Some(one) = self.one.take() {
            self.make_room(come);
            // `put` would give the room up for the one's own.
            self.gathered.extend_from_slice(&one);
        }
        self.make_room(come);
        self.gathered.extend_from_slice(&data);
    }

    fn make_room(&mut self, come: usize) {
        if self.gathered.capacity() < come {
            let believed = BELIEVED.max(GROWTH * come);
            // A buffer that is nearly large enough would be copied nearly whole.
            let wanted = if believed >= self.expected / 4 { self.expected } else { believed };
            let wanted = wanted.max(come);
            self.gathered.reserve(wanted - self.gathered.len());
        }
    }

    /// All of them.
    pub fn whole(self) -> Bytes {
        self.one.unwrap_or_else(|| self.gathered.freeze())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    fn pieces(pieces: &[&'static [u8]]) -> impl Body<Data = Bytes, Error = std::io::Error> + Unpin {
        let frames = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece))));
        StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>()))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_within_its_limit() {
        let read = async |body: &[&'static [u8]], limit| {
            gather(pieces(body), limit, |_| Ok(()))
                .await
                .map_err(|status| status.message().to_owned())
        };
        assert_eq!(read(&[], 0).await.as_deref(), Ok(&b""[..]));
        assert_eq!(read(&[b"[1]"], 3).await.as_deref(), Ok(&b"[1]"[..]));
        assert_eq!(read(&[b"[", b"1", b"]"], 3).await.as_deref(), Ok(&b"[1]"[..]));
        assert!(read(&[b"[1", b"]]"], 3).await.is_err_and(|why| why.contains("the limit is 3")));
        let announced = super::gather(Full::new(Bytes::from_static(b"[1]]")), 3, |_| {
            panic!("nothing is kept of it")
        });
        assert!(announced.await.is_err());
        let no_room = super::gather(pieces(&[b"[", b"1]"]), 3, |come| match come {
            1 => Ok(()),
            _ => Err(Status::internal("no room")),
        });
        assert_eq!(no_room.await.expect_err("refused").message(), "no room");
    }
}
