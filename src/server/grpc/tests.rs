//! Messages in bodies, in both directions.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use proptest::prelude::*;
use tonic::{Code, Status};

use super::{
    super::status,
    StreamingBody, UnaryBody,
    frame::{HEAD, SMALL},
};

const LIMIT: usize = 64 * 1024;

fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed
}

/// A body that comes in these pieces.
fn body(pieces: Vec<Bytes>) -> impl Body<Data = Bytes, Error = Status> + Unpin {
    StreamBody::new(futures_util::stream::iter(
        pieces.into_iter().map(|piece| Ok::<_, Status>(Frame::data(piece))),
    ))
}

/// The output of a future that waits for nothing.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for nothing"),
    }
}

/// Everything that is ready: data, then trailers, if they are.
fn sent(
    body: &mut (impl Body<Data = Bytes, Error = Status> + Unpin),
) -> (Vec<Bytes>, Option<HeaderMap>) {
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut data = Vec::new();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut context) {
        match frame.expect("no error").into_data() {
            Ok(piece) => data.push(piece),
            Err(frame) => return (data, frame.into_trailers().ok()),
        }
    }
    (data, None)
}

#[test]
fn a_large_message_in_one_piece_is_not_copied() {
    let whole = Bytes::from(framed(&[7; 2 * SMALL]));
    let read = now(super::read(body(vec![whole.clone()]), LIMIT, |_| Ok(()))).expect("a message");
    assert_eq!(read.as_ptr(), whole[HEAD..].as_ptr());
    let small = Bytes::from(framed(&[7; SMALL]));
    let read = now(super::read(body(vec![small.clone()]), LIMIT, |_| Ok(()))).expect("a message");
    assert_ne!(read.as_ptr(), small[HEAD..].as_ptr(), "it keeps no buffer alive");

    let payload = Bytes::from(vec![7; 2 * SMALL]);
    let (data, trailers) = sent(&mut UnaryBody::new(payload.clone()));
    assert_eq!(data[1].as_ptr(), payload.as_ptr());
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
}

#[test]
fn faults_of_a_request() {
    let refused = |pieces: Vec<Bytes>| {
        now(super::read(body(pieces), LIMIT, |_| Ok(()))).expect_err("refused")
    };
    let cut = Bytes::from(framed(b"abc")).slice(..6);
    let twice = Bytes::from([framed(b"abc"), framed(b"abc")].concat());
    let compressed = Bytes::from_static(b"\x01\0\0\0\x01a");
    let huge = Bytes::from_static(b"\0\xff\xff\xff\xff");
    for (pieces, code, words) in [
        (vec![], Code::InvalidArgument, "no message"),
        (vec![Bytes::from_static(b"\0\0")], Code::InvalidArgument, "no message"),
        (vec![cut], Code::InvalidArgument, "1 of 3 bytes"),
        (vec![twice], Code::InvalidArgument, "beyond"),
        (vec![compressed], Code::Unimplemented, "compress"),
        (vec![huge], Code::ResourceExhausted, "4294967295"),
    ] {
        let status = refused(pieces);
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(words), "{status}");
    }
}

#[test]
fn ready_chunks_leave_together_and_none_waits_for_the_next() {
    let mut script: VecDeque<Poll<Option<Result<Bytes, Status>>>> = VecDeque::from([
        Poll::Ready(Some(Ok(Bytes::from_static(b"a")))),
        Poll::Ready(Some(Ok(Bytes::from_static(b"b")))),
        Poll::Pending,
        Poll::Ready(Some(Ok(Bytes::from_static(b"c")))),
        Poll::Ready(Some(Err(status::draining()))),
    ]);
    let mut body = StreamingBody::new(futures_util::stream::poll_fn(move |_| {
        script.pop_front().expect("nothing is asked for after the end")
    }));
    let (data, trailers) = sent(&mut body);
    // The second poll finds nothing ready, as at the end of a burst.
    assert_eq!(data, [[framed(b"a"), framed(b"b")].concat(), framed(b"c")]);
    let trailers = trailers.expect("trailers");
    assert_eq!(trailers["grpc-status"], (Code::Unavailable as i32).to_string());
    assert!(trailers.contains_key("grpc-status-details-bin"));
}

/// Bytes that differ, cheaper than random ones.
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| at as u8).collect()
}

proptest! {
    #[test]
    fn a_message_is_read_however_it_was_cut(
        message in (0..2 * SMALL + 100).prop_map(bytes),
        mut cuts in proptest::collection::vec(0..2 * SMALL + 110, 0..6),
    ) {
        let framed = Bytes::from(framed(&message));
        cuts.retain(|cut| *cut <= framed.len());
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([framed.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let pieces = starts.zip(ends).map(|(from, to)| framed.slice(from..to)).collect();
        prop_assert_eq!(now(super::read(body(pieces), LIMIT, |_| Ok(()))).expect("a message"), message);
    }

    #[test]
    fn what_is_sent_is_what_was_given(
        chunks in proptest::collection::vec((0..2 * SMALL).prop_map(bytes), 0..20),
    ) {
        let given: Vec<Bytes> = chunks.iter().cloned().map(Bytes::from).collect();
        let mut body = StreamingBody::new(futures_util::stream::iter(given.into_iter().map(Ok)));
        let (data, trailers) = sent(&mut body);
        prop_assert_eq!(&trailers.expect("trailers")["grpc-status"], "0");
        let wanted: Vec<u8> = chunks.iter().flat_map(|chunk| framed(chunk)).collect();
        prop_assert_eq!(data.concat(), wanted);
    }
}

#[tokio::test]
async fn what_is_there_at_the_beginning_is_sent_first_and_what_is_not_is_not_waited_for() {
    let chunk = Bytes::from_static(b"first");
    let ready =
        StreamingBody::new(futures_util::stream::iter([Ok(chunk.clone()), Ok(chunk.clone())]));
    let (data, trailers) = sent(&mut now(ready.begun()));
    assert_eq!(data.concat(), [framed(b"first"), framed(b"first")].concat());
    assert_eq!(trailers.expect("the end")["grpc-status"], "0");

    let pending = StreamingBody::new(futures_util::stream::pending());
    let (data, trailers) = sent(&mut pending.begun().await);
    assert!(data.is_empty() && trailers.is_none(), "it goes on without");
}
