//! How a daemon ends, by signal.

use dirtyd::client::{Error, Reason, Value, args};
use nix::sys::signal::Signal;
use tonic::Code;

use crate::support::{Daemon, failure};

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
