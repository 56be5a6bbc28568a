//! A call's deadline: the caller's own or the operator's, in the queue and while
//! it runs.

use std::time::Duration;

use dirtyd_client::{Error, Reason, args};
use tonic::Code;

use crate::support::{Daemon, app, execute_with, failure, pids};

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_short_deadline_leaves_the_worker_alone() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let before = pids(&daemon.status().await);
    let outcome =
        execute_with(&daemon.socket(), ("grpc-timeout", "200m"), "hold", &["door".into()]).await;
    let passed = failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    assert_eq!(passed.facts["worker_pid"], before[0].to_string());
    assert!(daemon.path("door.started").exists());

    let busy = daemon.status().await;
    assert_eq!(busy.workers[0].in_flight, 1, "the work keeps its slot until it has ended");
    daemon.touch("door");
    let client = daemon.client();
    let pid = client.execute("lab:Lab", "pid", args![]).await.expect("pid").as_int();
    assert_eq!(pid, Some(before[0].into()), "the same worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_deadline_passes_in_the_queue_never_runs() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let client = daemon.client();
    let holding = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    let outcome =
        execute_with(&daemon.socket(), ("grpc-timeout", "100m"), "touch", &["ran".into()]).await;
    let passed = failure(outcome, Code::DeadlineExceeded, Reason::QueueTimeout);
    assert!(!passed.facts.contains_key("worker_pid"), "no worker saw it");
    assert_eq!(app(&daemon.status().await, "lab:Lab").queued, 0);
    daemon.touch("door");
    holding.await.expect("no panic").expect("hold");
    client.execute("lab:Lab", "echo", args![]).await.expect("a call behind it");
    assert!(!daemon.path("ran").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_of_the_app_counts_the_wait_in_the_queue() {
    let config = "timeout = \"1s\"\n[[app]]\npath = \"lab:Lab\"\ntimeout = \"30s\"\n[[app]]\npath = \"lab:Other\"";
    let daemon = Daemon::start(config).await;
    let client = daemon.client();
    let holding = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    let outcome = client.execute("lab:Other", "echo", args![]).await;
    failure(outcome, Code::DeadlineExceeded, Reason::QueueTimeout);
    daemon.touch("door");
    holding.await.expect("no panic").expect("its own timeout is longer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up_is_told_so_by_its_own_clock() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let hurried = daemon.client().with_timeout(Duration::from_millis(100));
    match hurried.execute("lab:Lab", "patient", args!["p"]).await {
        Err(Error::DeadlineExceeded) => {}
        other => drop(failure(other, Code::DeadlineExceeded, Reason::ExecutionTimeout)),
    }
    daemon.seen("p.cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_beyond_all_time_is_none() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    for long in [Duration::MAX, Duration::from_millis(u64::MAX)] {
        let client = daemon.client().with_timeout(long);
        client.execute("lab:Lab", "echo", args![]).await.expect("echo");
        let mut stream = client.stream("lab:Lab", "count", args![1]).await.expect("stream");
        stream.next().await.expect("a chunk").expect("no error");
    }
    let longest = ("grpc-timeout", "99999999H");
    execute_with(&daemon.socket(), longest, "echo", &[]).await.expect("echo");
}
