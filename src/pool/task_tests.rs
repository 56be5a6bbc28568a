//! What crosses on its way to the task: calls and their cancels, and the end.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::{Health, Request, start, task::Pool};
use crate::{
    call::{CallError, CallId, CallRequest, Peer, reply_channel, stream_channel},
    clock::Deadline,
    config::{Config, Flags, Raw},
};

/// Workers that never say hello.
fn config(workers: u32) -> Config {
    let apps = vec!["app:App".parse().expect("a path")];
    let flags = Flags { apps, workers: Some(workers), ..Flags::default() };
    let mut config = Config::from_raw(Raw::from_flags(flags)).expect("valid");
    config.pools[0].command = ["sleep", "1000"].map(str::to_owned).to_vec();
    config
}

fn request() -> CallRequest {
    CallRequest {
        app: "app:App".to_owned(),
        action: "act".to_owned(),
        payload: Bytes::new(),
        arrived: Instant::now(),
        peer: Peer::Unknown,
        caller_deadline: Deadline::Never,
        request_id: String::new(),
        metadata: Vec::new(),
    }
}

#[tokio::test]
async fn a_cancel_that_is_looked_at_before_its_call_is_not_lost() {
    let (pool, _task) = start(&config(1));
    let (stays, _answer) = reply_channel();
    let _ticket = pool.submit(request(), stays).await;
    let (unary, answer) = reply_channel();
    let (stream, chunks) = stream_channel(1);
    let left = (pool.submit(request(), unary).await, pool.submit(request(), stream).await);
    drop((answer, chunks, left));
    let status = pool.status().await.expect("it runs");
    assert_eq!(status.calls, 1, "only the one that somebody waits for");
}

/// A pool whose task does not run.
fn idle(config: &Config) -> (mpsc::Sender<Request>, Pool) {
    let (requests, receiver) = mpsc::channel(1);
    let (_, cancelled) = mpsc::channel(1);
    let (health, _) = watch::channel(Health::new());
    (requests, Pool::new(config, receiver, cancelled, health))
}

#[tokio::test]
async fn a_call_that_comes_as_the_last_worker_ends_is_safe_to_retry() {
    let (requests, mut pool) = idle(&config(0));
    pool.begin_drain(Instant::now());
    pool.enforce_drain(Instant::now());
    let (reply, answer) = reply_channel();
    let late = Request::Submit(CallId(1), request(), reply);
    assert!(requests.try_send(late).is_ok(), "there is room");
    pool.run().await;
    assert_eq!(answer.await.expect("an answer"), Err((CallError::Draining, None)));
}

#[tokio::test]
async fn a_seat_that_is_due_stays_empty_once_the_workers_are_told_to_exit() {
    let (_requests, mut pool) = idle(&config(1));
    let now = Instant::now();
    pool.groups[0].seats[0].restart_at = Some(now);
    pool.begin_drain(now + Duration::from_secs(60));
    pool.on_edge_closed();
    pool.restart_due_seats(now);
    assert!(pool.is_drained(), "nobody is left, and nobody comes");
}
