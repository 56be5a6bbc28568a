//! Both directions over real sockets.

use bytes::Bytes;
use prost::Message as _;
use tokio::io::AsyncReadExt as _;

use super::{writer::INLINE, *};
use crate::{
    proto::worker::{
        ArbiterFrame, Metadata, Pong, Request, Response, WorkerFrame, arbiter_frame, worker_frame,
    },
    system::{Socket, SocketReader, SocketWriter},
};
use proptest::prelude::*;
use tokio::{io::AsyncWriteExt as _, net::UnixStream};

fn split(socket: UnixStream) -> (SocketReader, SocketWriter) {
    let socket = socket.into_std().expect("not in use");
    Socket::new(socket).expect("socket").into_split()
}

fn request(id: u64) -> Request {
    let metadata = vec![Metadata { key: "k".into(), value: Bytes::from_static(b"v") }];
    Request { call_id: id, stream: true, request_id: "r".into(), metadata, ..Request::default() }
}

#[tokio::test]
async fn requests_arrive_as_the_protobuf_that_the_contract_names() {
    let (ours, theirs) = UnixStream::pair().expect("socketpair");
    let (_read, write) = split(ours);
    let mut writer = FrameWriter::new(write);
    let sizes = [0, 1, INLINE, INLINE + 1, 300_000, 5];
    for (id, size) in sizes.iter().enumerate() {
        writer.push_payload(4, &request(id as u64), Bytes::from(vec![id as u8; *size]));
    }
    let reading = tokio::spawn(async move {
        let mut theirs = theirs;
        let mut requests = Vec::new();
        for _ in sizes {
            let length = theirs.read_u32().await.expect("prefix") as usize;
            let mut frame = vec![0; length];
            theirs.read_exact(&mut frame).await.expect("frame");
            requests.push(ArbiterFrame::decode(frame.as_slice()).expect("valid"));
        }
        requests
    });
    while writer.is_pending() {
        writer.flush().await.expect("write");
    }
    assert_eq!(writer.written(), writer.queued);
    for (id, frame) in reading.await.expect("reader").into_iter().enumerate() {
        let payload = Bytes::from(vec![id as u8; sizes[id]]);
        let expected = Request { payload, ..request(id as u64) };
        assert_eq!(frame.kind, Some(arbiter_frame::Kind::Request(expected)));
    }
}

async fn read_all(bytes: Vec<u8>, cut: usize) -> Vec<Result<Option<WorkerFrame>, String>> {
    let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
    let (read, _write) = split(ours);
    let mut reader = FrameReader::<WorkerFrame>::new(read, 1024);
    let writing = tokio::spawn(async move {
        let cut = cut.min(bytes.len());
        theirs.write_all(&bytes[..cut]).await.expect("write");
        tokio::task::yield_now().await;
        theirs.write_all(&bytes[cut..]).await.expect("write");
    });
    let mut frames = Vec::new();
    loop {
        let frame = reader.next().await.map_err(|error| error.to_string());
        let last = !matches!(frame, Ok(Some(_)));
        frames.push(frame);
        if last {
            drop(reader);
            writing.await.expect("writer");
            return frames;
        }
    }
}

fn framed(kind: worker_frame::Kind) -> Vec<u8> {
    let body = WorkerFrame { kind: Some(kind) }.encode_to_vec();
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

#[tokio::test]
async fn frames_may_be_cut_anywhere() {
    let response = Response { call_id: 7, payload: Bytes::from_static(b"payload") };
    let mut bytes = framed(worker_frame::Kind::Response(response.clone()));
    bytes.extend(framed(worker_frame::Kind::Pong(Pong { nonce: 3 })));
    for cut in 0..=bytes.len() {
        let frames = read_all(bytes.clone(), cut).await;
        assert_eq!(frames.len(), 3, "cut at {cut}");
        let first = frames[0].as_ref().expect("frame").as_ref().expect("frame");
        assert_eq!(first.kind, Some(worker_frame::Kind::Response(response.clone())));
        assert_eq!(frames[2], Ok(None));
    }
}

#[tokio::test]
async fn half_a_frame_and_an_oversize_one_are_errors() {
    let half = &framed(worker_frame::Kind::Pong(Pong { nonce: 3 }))[..5];
    assert!(read_all(half.to_vec(), 2).await[0].as_ref().is_err_and(|e| e.contains("middle")));
    let huge = u32::MAX.to_be_bytes().to_vec();
    assert!(read_all(huge, 2).await[0].as_ref().is_err_and(|e| e.contains("limit")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("runtime").block_on(read_all(bytes, 7));
    }
}
