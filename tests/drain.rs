//! How a daemon ends, by signal.

use std::time::{Duration, Instant};

use dirtyd_client::{
    Error, Reason, Value, args,
    proto::v1::{ExecuteRequest, WatchEventsRequest},
};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::signal::Signal;
use tokio::net::UnixStream;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::support::{Daemon, failure, framed, post, signal};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

#[tokio::test(flavor = "multi_thread")]
async fn term_lets_calls_that_run_or_wait_finish() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Daemon::start(APP).await;
        let pid = daemon.status().await.workers[0].pid;
        let running = daemon.calling("hold", args!["door", 1]);
        daemon.seen("door.started").await;
        let waiting = daemon.calling("echo", args![2]);
        daemon.until("it waits", |status| status.apps[0].queued == 1).await;
        daemon.signal(signal);
        daemon.logged("draining").await;
        daemon.touch("door");
        assert_eq!(running.await.expect("no panic").expect("hold"), Value::from(1));
        assert_eq!(waiting.await.expect("no panic").expect("echo"), Value::from(2));
        assert!(daemon.ended().await.success());
        assert!(daemon.path(&format!("closed.{pid}")).exists(), "close() ran");
        assert!(!daemon.socket().exists(), "the socket is removed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn term_lets_a_stream_finish() {
    let mut daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let mut stream = client.stream("lab:Lab", "steps", args!["step", 2]).await.expect("stream");
    assert_eq!(stream.next().await.expect("chunk").expect("no error"), Value::from(0));
    daemon.signal(Signal::SIGTERM);
    daemon.logged("draining").await;
    daemon.touch("step.0");
    assert_eq!(stream.next().await.expect("chunk").expect("no error"), Value::from(1));
    daemon.touch("step.1");
    assert!(stream.next().await.is_none(), "it ended well");
    assert!(daemon.ended().await.success());
}

/// The action has ended long before its caller has the answer.
#[tokio::test(flavor = "multi_thread")]
async fn term_lets_a_slow_reader_finish() {
    const SIZE: usize = 16 << 20;
    let mut daemon = Daemon::start(APP).await;
    let stream = UnixStream::connect(daemon.socket()).await.expect("the daemon listens");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let message = ExecuteRequest {
        app: "lab:Lab".to_owned(),
        action: "blob".to_owned(),
        args: vec![Value::from(SIZE as i64).into_proto()],
        ..ExecuteRequest::default()
    };
    let request = post().body(Full::new(framed(&message))).expect("a request");
    let mut answer = sender.send_request(request).await.expect("an answer").into_body();
    daemon.signal(Signal::SIGTERM);
    daemon.logged("draining").await;
    let (begun, mut read, mut trailers) = (Instant::now(), 0, None);
    while let Some(frame) = answer.frame().await {
        match frame.expect("not cut").into_data() {
            Ok(data) => read += data.len(),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        // Slower than whatever a drain may take for idleness.
        if begun.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    assert!(read > SIZE, "{read} bytes");
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn quit_ends_at_once() {
    let mut daemon = Daemon::start(APP).await;
    let running = daemon.calling("hold", args!["never"]);
    daemon.seen("never.started").await;
    daemon.signal(Signal::SIGQUIT);
    daemon.ended().await;
    assert!(matches!(running.await.expect("no panic"), Err(Error::Connection { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn graceful_timeout_bounds_the_drain() {
    let mut daemon = Daemon::start(&format!("graceful_timeout = \"500ms\"\n{APP}")).await;
    let running = daemon.calling("hold", args!["never"]);
    daemon.seen("never.started").await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(running.await.expect("no panic").is_err());
    assert!(daemon.log().contains("graceful_timeout passed"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_the_drain_never_started_is_safe_to_retry() {
    let mut daemon = Daemon::start(&format!("graceful_timeout = \"500ms\"\n{APP}")).await;
    let running = daemon.calling("hold", args!["never"]);
    daemon.seen("never.started").await;
    let waiting = daemon.calling("echo", args![1]);
    daemon.until("it waits", |status| status.apps[0].queued == 1).await;
    daemon.signal(Signal::SIGTERM);
    let refused = failure(waiting.await.expect("no panic"), Code::Unavailable, Reason::Draining);
    assert!(refused.retry_after.is_some());
    let lost = running.await.expect("no panic");
    failure(lost, Code::Aborted, Reason::WorkerCrashed);
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn quit_cuts_a_drain_short() {
    let mut daemon = Daemon::start(APP).await;
    let running = daemon.calling("hold", args!["never"]);
    daemon.seen("never.started").await;
    daemon.signal(Signal::SIGTERM);
    daemon.logged("draining").await;
    daemon.signal(Signal::SIGQUIT);
    daemon.ended().await;
    assert!(running.await.expect("no panic").is_err());
}

/// What is open and asks for no work holds nobody up: a client that says
/// nothing, and the watches, which never end by themselves.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_does_not_wait_for_who_only_watches_or_says_nothing() {
    let mut daemon = Daemon::start(&format!("graceful_timeout = \"25s\"\n{APP}")).await;
    let silent = UnixStream::connect(daemon.socket()).await.expect("the daemon listens");
    let events = daemon.admin().watch_events(WatchEventsRequest {}).await.expect("watched");
    let mut health = HealthClient::new(daemon.channel());
    let check = HealthCheckRequest { service: String::new() };
    let watch = health.watch(check).await.expect("watched");
    daemon.until("it has them", |s| s.arbiter.as_ref().is_some_and(|a| a.connections >= 2)).await;
    let asked = Instant::now();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(asked.elapsed() < Duration::from_secs(12), "{:?}", asked.elapsed());
    drop((silent, events, watch));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_worker_that_dies_in_a_drain_is_safe_to_retry() {
    let mut daemon = Daemon::start(APP).await;
    let pid = daemon.status().await.workers[0].pid;
    let running = daemon.calling("hold", args!["never"]);
    daemon.seen("never.started").await;
    let waiting = daemon.calling("echo", args![1]);
    daemon.until("it waits", |status| status.apps[0].queued == 1).await;
    daemon.signal(Signal::SIGTERM);
    daemon.logged("draining").await;
    signal(pid, Signal::SIGKILL);
    failure(running.await.expect("no panic"), Code::Aborted, Reason::WorkerCrashed);
    failure(waiting.await.expect("no panic"), Code::Unavailable, Reason::Draining);
    assert!(daemon.ended().await.success());
}
