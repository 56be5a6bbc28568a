//! Queues: in order, bounded, and refusing at once.

use std::time::Duration;

use dirtyd_client::{Client, Error, Reason, Value, args};
use tokio::task::JoinHandle;
use tonic::Code;

use crate::support::{Daemon, app, failure, together};

/// Starts a call that runs until the test makes the file `door`.
async fn occupied(daemon: &Daemon) -> JoinHandle<Result<Value, Error>> {
    let call = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_says_when_to_come_back() {
    let daemon = Daemon::start("max_queue = 2\n[[app]]\npath = \"lab:Lab\"").await;
    let running = occupied(&daemon).await;
    let waiting = together((0..2).map(|number| {
        let client = daemon.client();
        async move { client.execute("lab:Lab", "echo", args![number]).await.expect("echo") }
    }));
    daemon.until("two wait", |status| app(status, "lab:Lab").queued == 2).await;
    // The only slot is held by this test: an answer now is an answer at once.
    let outcome = daemon.client().execute("lab:Lab", "echo", args![]).await;
    let full = failure(outcome, Code::ResourceExhausted, Reason::QueueFull);
    assert!(full.retry_after.is_some_and(|after| after > Duration::ZERO), "{full:?}");
    assert!(full.message.contains("max_queue or"), "{}", full.message);
    assert_eq!(full.facts.get("bound").map(String::as_str), Some("max_queue"));
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    assert_eq!(waiting.await.expect("no panic").len(), 2, "those that waited are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_bounded_by_bytes_too_and_a_larger_request_waits_alone() {
    let daemon = Daemon::start("max_queue_bytes = \"100kB\"\n[[app]]\npath = \"lab:Lab\"").await;
    let running = occupied(&daemon).await;
    let waits = async |calls: u32, bytes: u64| {
        let status =
            daemon.until("they wait", |status| app(status, "lab:Lab").queued == calls).await;
        let app = app(&status, "lab:Lab");
        assert_eq!(app.max_queue_bytes, 100_000);
        assert!((bytes..bytes + 100).contains(&app.queued_bytes), "{}", app.queued_bytes);
    };
    let large = daemon.calling("type_name", args!["x".repeat(150_000)]);
    waits(1, 150_000).await;
    // The only slot is held by this test: an answer now is an answer at once.
    let refused = async |bytes: usize| {
        let outcome = daemon.client().execute("lab:Lab", "echo", args!["x".repeat(bytes)]).await;
        let full = failure(outcome, Code::ResourceExhausted, Reason::QueueFull);
        assert!(full.retry_after.is_some_and(|after| after > Duration::ZERO), "{full:?}");
        assert!(full.message.contains("raise max_queue_bytes"), "{}", full.message);
        assert_eq!(full.facts.get("bound").map(String::as_str), Some("max_queue_bytes"));
    };
    refused(1).await;
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    large.await.expect("no panic").expect("it is served, though it is above the limit");

    std::fs::remove_file(daemon.path("door.started")).expect("it was there");
    std::fs::remove_file(daemon.path("door")).expect("it was there");
    let running = occupied(&daemon).await;
    let small = [60_000, 30_000].map(|n| daemon.calling("type_name", args!["x".repeat(n)]));
    waits(2, 90_000).await;
    refused(20_000).await;
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    for call in small {
        call.await.expect("no panic").expect("served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_served_in_the_order_of_their_arrival() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let running = occupied(&daemon).await;
    let mut calls = Vec::new();
    for number in 0..20 {
        calls.push(daemon.calling("note", args![number]));
        daemon.until("it waits", |status| app(status, "lab:Lab").queued == number as u32 + 1).await;
    }
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    for call in calls {
        call.await.expect("no panic").expect("note");
    }
    let order = daemon.client().execute("lab:Lab", "noted", args![]).await.expect("noted");
    assert_eq!(order, Value::from((0..20).collect::<Vec<i32>>()));
}

/// Offers calls that are too many, and waits until all of them are refused but
/// for the `queued` that wait.
async fn offer(
    daemon: &Daemon,
    clients: &[Client],
    calls: usize,
    queued: usize,
) -> JoinHandle<Vec<Result<Value, Error>>> {
    let refused = app(&daemon.status().await, "lab:Lab").failed;
    let payload = "x".repeat(4096);
    let offered = together((0..calls).map(|number| {
        let (client, payload) = (clients[number % clients.len()].clone(), payload.clone());
        async move { client.execute("lab:Lab", "type_name", args![payload]).await }
    }));
    daemon
        .until("the queue is full and the rest refused", |status| {
            let app = app(status, "lab:Lab");
            app.queued == 1024 && app.failed == refused + (calls - queued) as u64
        })
        .await;
    offered
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_to_one_busy_worker_do_not_grow_the_arbiter() {
    let daemon = Daemon::start("max_queue = 1024\n[[app]]\npath = \"lab:Lab\"").await;
    let running = occupied(&daemon).await;
    let memory = async || daemon.status().await.arbiter.expect("arbiter").memory_bytes >> 20;
    // Several connections, for one allows 1024 calls at once.
    let clients: Vec<_> = (0..6).map(|_| daemon.connect()).collect();
    let before = memory().await;
    let first = offer(&daemon, &clients, 5000, 1024).await;
    let full = memory().await;
    assert!(full < before + 128, "{before} MiB, then {full} MiB for 1024 calls of 4 KiB");
    // What is refused leaves nothing behind.
    let second = offer(&daemon, &clients, 5000, 0).await;
    let again = memory().await;
    assert!(again < full + 24, "{before} MiB, {full} MiB, then {again} MiB");
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    let outcomes = [first.await.expect("no panic"), second.await.expect("no panic")].concat();
    let mut refused = 0;
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        failure(outcome, Code::ResourceExhausted, Reason::QueueFull);
        refused += 1;
    }
    assert_eq!(refused, 10_000 - 1024, "the others are served");
}
