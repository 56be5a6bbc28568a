//! What the arbiter holds for callers has a limit, is seen, and is given back.

use bytes::Bytes;
use dirtyd_client::{
    Value,
    proto::v1::{ExecuteRequest, StatusResponse},
};
use http::Response;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;

use crate::support::{Daemon, framed, of_lab, post};

/// One user may have 1.5 MiB.
const CONFIG: &str =
    "max_message_size = \"1MiB\"\nmax_held_bytes = \"2MiB\"\n[[app]]\npath = \"lab:Lab\"";
const PART: usize = 700 << 10;

/// Sends a request on a connection of its own.
async fn send<B>(daemon: &Daemon, body: B) -> tokio::task::JoinHandle<Response<Incoming>>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    send_to(daemon, "Execute", body).await
}

async fn send_to<B>(
    daemon: &Daemon,
    method: &str,
    body: B,
) -> tokio::task::JoinHandle<Response<Incoming>>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = UnixStream::connect(daemon.socket()).await.expect("the daemon listens");
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1024) // a reader that takes nothing by itself
        .handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    let uri = format!("http://localhost/dirty.v1.Arbiter/{method}");
    let request = post().uri(uri).body(body).expect("a request");
    tokio::spawn(async move { sender.send_request(request).await.expect("an answer") })
}

fn held(status: &StatusResponse) -> usize {
    status.arbiter.as_ref().map_or(0, |arbiter| arbiter.held_bytes) as usize
}

fn reason(answer: &Response<Incoming>) -> String {
    answer.headers()["grpc-message"].to_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_end_are_held_up_to_a_limit() {
    let daemon = Daemon::start(CONFIG).await;
    let unfinished = || {
        let whole = of_lab("echo", Value::from("x".repeat(1 << 19)));
        // As many bytes as are announced are on their way, but for the last.
        let part = whole.slice(..whole.len() - 1);
        let first =
            futures_util::stream::iter([Ok::<_, std::io::Error>(http_body::Frame::data(part))]);
        let endless = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        StreamBody::new(endless).boxed_unsync()
    };
    let mut waiting = Vec::new();
    for count in 1..=2 {
        waiting.push(send(&daemon, unfinished()).await);
        daemon.until("its bytes are held", |status| held(status) >= count << 19).await;
    }
    // Three of half a MiB, and their heads, are more than a user may have.
    let third = send(&daemon, unfinished()).await.await.expect("no panic");
    assert_eq!(third.headers()["grpc-status"], "8");
    assert!(reason(&third).contains("held%20for%20this%20user"), "{}", reason(&third));
    let text = daemon.run(&["status"]).await.stdout;
    assert!(text.contains("held for callers"), "{text}");
    let own = format!("uid {}", nix::unistd::geteuid());
    let peers = daemon.status().await.peers;
    assert!(peers[0].peer == own && peers[0].held_bytes >= 1 << 20, "{peers:?}");
    assert!(text.contains(&own), "{text}");
    let small = daemon.client().execute("lab:Lab", "echo", dirtyd_client::args![7]).await;
    assert_eq!(small.expect("small calls are served"), Value::from(7));
    for call in waiting {
        call.abort();
    }
    daemon.until("they are given back", |status| held(status) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_nobody_reads_are_held_up_to_a_limit() {
    let daemon = Daemon::start(CONFIG).await;
    let blob = || Full::new(of_lab("blob", Value::from(PART as i64)));
    let mut unread = Vec::new();
    for count in 1..=2 {
        unread.push(send(&daemon, blob()).await.await.expect("no panic"));
        daemon.until("its bytes are held", |status| held(status) >= count * PART).await;
    }
    let third = send(&daemon, blob()).await.await.expect("no panic");
    assert_eq!(third.headers()["grpc-status"], "8");
    assert!(reason(&third).contains("action%20ran"), "{}", reason(&third));
    let whole = unread.remove(0).into_body().collect().await.expect("the whole answer");
    assert!(whole.to_bytes().len() > PART, "what was held is still there");
    drop(unread);
    daemon.until("they are given back", |status| held(status) == 0).await;
}

/// What a stream has sent ahead of its reader is held, too, and not only what HTTP/2 has
/// taken of it.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_nobody_reads_are_held() {
    const CHUNK: usize = 200 << 10;
    let daemon = Daemon::start(CONFIG).await;
    let request = framed(&ExecuteRequest {
        app: "lab:Lab".to_owned(),
        action: "flood".to_owned(),
        args: vec![Value::from("f").into_proto(), Value::from(CHUNK as i64).into_proto()],
        ..ExecuteRequest::default()
    });
    let unread = send_to(&daemon, "ExecuteStream", Full::new(request)).await.await;
    let unread = unread.expect("no panic");
    // A window of 1 MiB.
    daemon.until("the window is held", |status| held(status) >= 5 * CHUNK).await;
    drop(unread);
    daemon.until("it is given back", |status| held(status) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_nobody_reads_is_not_held_for_ever() {
    let daemon = Daemon::start(&format!("response_timeout = \"300ms\"\n{CONFIG}")).await;
    let blob = Full::new(of_lab("blob", Value::from(PART as i64)));
    let unread = send(&daemon, blob).await.await.expect("no panic");
    daemon.logged("it read nothing of a result").await;
    daemon.until("its bytes are given back", |status| held(status) == 0).await;
    unread.into_body().collect().await.expect_err("its connection is closed");
}

/// Neither readers who do not read nor requests that never arrive hold up an end.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_neither_for_readers_who_take_nothing_nor_for_half_a_request() {
    let mut daemon = Daemon::start(&format!("graceful_timeout = \"1h\"\n{CONFIG}")).await;
    let blob = Full::new(of_lab("blob", Value::from(PART as i64)));
    let _unread = send(&daemon, blob).await.await.expect("no panic");
    let part = of_lab("echo", Value::from("x".repeat(1 << 19))).slice(..1 << 19);
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(http_body::Frame::data(part))]);
    let half = futures_util::StreamExt::chain(first, futures_util::stream::pending());
    let _half = send(&daemon, StreamBody::new(half).boxed_unsync()).await;
    daemon.until("both are held", |status| held(status) >= PART + (1 << 19)).await;
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended().await.success());
}
