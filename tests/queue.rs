//! Queues: in order, bounded, and refusing at once.

use std::time::Duration;

use dirtyd::client::{Error, Reason, Value, args};
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
    assert!(full.message.contains("max_queue"), "{}", full.message);
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    assert_eq!(waiting.await.expect("no panic").len(), 2, "those that waited are served");
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

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_calls_to_one_busy_worker_do_not_grow_the_arbiter() {
    const CALLS: usize = 10_000;
    let daemon = Daemon::start("max_queue = 1024\n[[app]]\npath = \"lab:Lab\"").await;
    let running = occupied(&daemon).await;
    let memory = async || daemon.status().await.arbiter.expect("arbiter").memory_bytes;
    let before = memory().await;
    // 20 connections, for one allows 1024 calls at once.
    let clients: Vec<_> = (0..20).map(|_| daemon.connect()).collect();
    let payload = "x".repeat(4096);
    let offered = together((0..CALLS).map(|number| {
        let (client, payload) = (clients[number % clients.len()].clone(), payload.clone());
        async move { client.execute("lab:Lab", "type_name", args![payload]).await }
    }));
    daemon
        .until("all are there", |status| {
            let app = app(status, "lab:Lab");
            app.queued == 1024 && app.failed == (CALLS - 1024) as u64
        })
        .await;
    let grown = memory().await.saturating_sub(before) >> 20;
    assert!(grown < 64, "{grown} MiB more for 1024 calls of 4 KiB that wait");
    daemon.touch("door");
    running.await.expect("no panic").expect("hold");
    let outcomes = offered.await.expect("no panic");
    let refused = outcomes.into_iter().filter_map(|outcome| outcome.err().map(Err::<(), _>));
    let refused =
        refused.map(|error| failure(error, Code::ResourceExhausted, Reason::QueueFull)).count();
    assert_eq!(refused, CALLS - 1024, "the others are served");
}
