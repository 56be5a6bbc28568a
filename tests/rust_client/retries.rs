//! What is tried again, and what never: against a scripted arbiter.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::support::repository;
use dirtyd::proto::arbiter_server::{Arbiter, ArbiterServer};
use dirtyd_client::{
    Client, Error, Reason, Sent, Value, args,
    proto::v1::{ExecuteRequest, ExecuteResponse, ExecuteStreamResponse},
};
use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixListener,
};
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

type Stream<T> = tokio_stream::Iter<std::vec::IntoIter<Result<T, Status>>>;

/// Fails with each status of its script, then answers 7.
#[derive(Clone)]
struct Scripted(Arc<Mutex<Vec<Status>>>);

impl Scripted {
    fn answer(&self) -> Result<Value, Status> {
        self.0.lock().expect("lock").pop().map_or(Ok(7.into()), Err)
    }
}

#[tonic::async_trait]
impl Arbiter for Scripted {
    type ExecuteStreamStream = Stream<ExecuteStreamResponse>;

    async fn execute(
        &self,
        _: Request<ExecuteRequest>,
    ) -> Result<Response<ExecuteResponse>, Status> {
        Ok(Response::new(ExecuteResponse { result: Some(self.answer()?.into_proto()) }))
    }

    async fn execute_stream(
        &self,
        _: Request<ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStreamStream>, Status> {
        let chunk = self.answer().map(|value| value.into_proto());
        let item = chunk.map(|chunk| ExecuteStreamResponse { chunk: Some(chunk) });
        Ok(Response::new(tokio_stream::iter(vec![item])))
    }
}

/// Serves the script; gives what is left of it.
fn serve(socket: &PathBuf, script: Vec<Status>) -> Arc<Mutex<Vec<Status>>> {
    serve_on(UnixListener::bind(socket).expect("bind"), script)
}

fn serve_on(listener: UnixListener, script: Vec<Status>) -> Arc<Mutex<Vec<Status>>> {
    let left = Arc::new(Mutex::new(script));
    let service = ArbiterServer::new(Scripted(Arc::clone(&left)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let connection = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    left
}

fn status(code: Code, reason: &str, retry_after: Option<Duration>) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, "dirty.v1", HashMap::new());
    if retry_after.is_some() {
        details.set_retry_info(retry_after);
    }
    Status::with_error_details(code, "scripted", details)
}

fn socket() -> (TempDir, PathBuf) {
    let dir = TempDir::with_prefix("dirtyd-").expect("directory");
    let socket = dir.path().join("d.sock");
    (dir, socket)
}

#[tokio::test]
async fn calls_that_had_not_started_are_tried_again() {
    let (_dir, socket) = socket();
    let wait = Duration::from_millis(120);
    let unstarted = vec![
        status(Code::Unavailable, "DRAINING", None),
        status(Code::Unavailable, "NO_WORKERS", None),
        status(Code::ResourceExhausted, "QUEUE_FULL", Some(wait)),
    ];
    let left = serve(&socket, unstarted.clone());
    let client = Client::connect(&socket).with_retries(3);
    let start = Instant::now();
    assert_eq!(client.execute("a", "b", args![]).await.expect("7"), 7.into());
    assert!(start.elapsed() >= wait, "it waits as long as the arbiter asks for");

    *left.lock().expect("lock") = unstarted;
    let mut stream = client.stream("a", "b", args![]).await.expect("a stream");
    assert_eq!(stream.next().await.expect("a chunk").expect("7"), 7.into());
    assert!(stream.next().await.is_none());
}

/// One table for all clients.
#[tokio::test]
async fn what_is_tried_again_follows_the_table() {
    let table = fs::read_to_string(repository().join("tests/conformance/retries.json"));
    let table: serde_json::Value = serde_json::from_str(&table.expect("it")).expect("JSON");
    for row in table["failures"].as_array().expect("rows") {
        let (_dir, socket) = socket();
        let (code, reason) = (&row["code"], row["reason"].as_str().expect("a reason"));
        let is_it = |known: &Code| format!("{known:?}") == camel(code.as_str().expect("a code"));
        let code = (0..17).map(Code::from_i32).find(is_it).expect("a code of gRPC");
        let failure = match reason {
            "" => Status::new(code, "who knows"),
            reason => status(code, reason, None),
        };
        let left = serve(&socket, vec![failure.clone(), failure]);
        let client = Client::connect(&socket).with_retries(1);
        let _ = client.execute("a", "b", args![]).await.expect_err("it fails twice, or once");
        let retried = left.lock().expect("lock").is_empty();
        assert_eq!(Some(retried), row["retried"].as_bool(), "{row}");
    }
}

/// `DEADLINE_EXCEEDED` as `DeadlineExceeded`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase());
    words.collect()
}

#[tokio::test]
async fn without_retries_and_beyond_the_deadline_there_is_one_attempt() {
    let (_dir, socket) = socket();
    let full = || status(Code::ResourceExhausted, "QUEUE_FULL", Some(Duration::from_secs(60)));
    serve(&socket, vec![full(), full()]);
    let client = Client::connect(&socket);
    let error = client.execute("a", "b", args![]).await.expect_err("full");
    assert_eq!(error.reason(), Some(&Reason::QueueFull));
    let hasty = client.with_retries(5).with_timeout(Duration::from_secs(5));
    let start = Instant::now();
    let error = hasty.execute("a", "b", args![]).await.expect_err("full");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(start.elapsed() < Duration::from_secs(4), "it does not wait for nothing");
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_tried_again() {
    let (_dir, socket) = socket();
    let client = Client::connect(&socket);
    let error = client.execute("a", "b", args![]).await.expect_err("nobody listens");
    assert!(matches!(error, Error::Connection { sent: Sent::Never, .. }), "{error:?}");
    assert!(error.to_string().contains("dirtyd serve"), "{error}");

    let patient = client.with_retries(20);
    let (result, _left) =
        tokio::join!(patient.execute("a", "b", args![]), async { serve(&socket, vec![]) });
    assert_eq!(result.expect("7"), 7.into());
}

/// A frame of HTTP/2 on stream `id`.
fn frame(kind: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let head = [0, 0, payload.len() as u8, kind, 0, 0, 0, 0, id];
    [&head, payload].concat()
}

/// GOAWAY without an error: nothing above stream `last` was looked at.
fn goaway(last: u8) -> Vec<u8> {
    frame(7, 0, &[0, 0, 0, last, 0, 0, 0, 0])
}

/// Answers the first call with `frames` and the end of the connection; the next
/// connections are served.
fn end_the_first(socket: &PathBuf, frames: Vec<u8>) {
    const PREFACE: usize = 24;
    let listener = UnixListener::bind(socket).expect("bind");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        stream.write_all(&frame(4, 0, &[])).await.expect("SETTINGS");
        let mut preface = [0; PREFACE];
        stream.read_exact(&mut preface).await.expect("a preface");
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("a frame");
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            stream.read_exact(&mut payload).await.expect("its payload");
            let (kind, ends_stream) = (head[3], head[4] & 1 == 1);
            if kind == 0 && ends_stream {
                break;
            }
        }
        stream.write_all(&frames).await.expect("the end");
        drop(stream);
        serve_on(listener, vec![]);
    });
}

#[tokio::test]
async fn a_call_that_a_closing_connection_refused_is_sent_again_unasked() {
    let refusals = [goaway(0), frame(3, 1, &[0, 0, 0, 7])];
    for refusal in refusals {
        let (_dir, socket) = socket();
        end_the_first(&socket, refusal.clone());
        let client = Client::connect(&socket);
        assert_eq!(client.execute("a", "b", args![]).await.expect("7"), 7.into());

        let (_dir, socket) = self::socket();
        end_the_first(&socket, refusal);
        let client = Client::connect(&socket);
        let mut stream = client.stream("a", "b", args![]).await.expect("a stream");
        assert_eq!(stream.next().await.expect("a chunk").expect("7"), 7.into());
    }
}

#[tokio::test]
async fn a_call_that_a_closing_connection_had_taken_is_not() {
    let internal_error = frame(3, 1, &[0, 0, 0, 2]);
    for end in [goaway(1), internal_error, vec![]] {
        let (_dir, socket) = socket();
        end_the_first(&socket, end);
        let client = Client::connect(&socket).with_retries(3);
        let error = client.execute("a", "b", args![]).await.expect_err("it may have run");
        assert!(matches!(error, Error::Connection { sent: Sent::Perhaps, .. }), "{error:?}");
        assert_eq!(client.execute("a", "b", args![]).await.expect("the next call"), 7.into());
    }
}
