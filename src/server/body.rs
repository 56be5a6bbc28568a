//! The body of a request, gathered unopened.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use tonic::Status;

use super::status;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(status::request_too_large(announced, limit));
    }
    // Most bodies come in one piece, which is not copied.
    let (mut first, mut all, mut come) = (Bytes::new(), BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::from_error(error.into()))?;
        let Ok(data) = frame.into_data() else { continue };
        come += data.len();
        if come > limit {
            return Err(status::request_too_large(come as u64, limit));
        }
        room(come)?;
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
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
