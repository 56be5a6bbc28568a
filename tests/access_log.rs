//! The access log: each call has one line, whatever becomes of it.

use std::{collections::BTreeMap, fs};

use dirtyd_client::{Args, Reason, args};
use nix::sys::signal::Signal;
use serde_json::Value as Json;
use tokio::task::JoinHandle;
use tonic::Code;

use crate::support::{Daemon, LIMIT, app, eventually, execute_with, failure, signal};

const TO_FILE: &str = "\
max_queue = 1
graceful_timeout = \"500ms\"
[observe]
access_log = \"all\"
access_log_format = \"json\"
access_log_file = \"access.log\"
[[app]]
path = \"lab:Lab\"
";

fn lines(daemon: &Daemon, file: &str) -> Vec<Json> {
    let text = fs::read_to_string(daemon.path(file)).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// Waits for the line of a request.
async fn line(daemon: &Daemon, id: &str) -> Json {
    eventually(LIMIT, id, async || {
        lines(daemon, "access.log").into_iter().find(|line| line["request_id"] == id)
    })
    .await
}

/// Starts a call with this request id; its outcome is for the log.
fn call(daemon: &Daemon, id: &str, action: &'static str, args: impl Into<Args>) -> JoinHandle<()> {
    let client = daemon.client().with_metadata("x-request-id", id);
    let args = args.into();
    tokio::spawn(async move { drop(client.execute("lab:Lab", action, args).await) })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_has_one_line_with_its_reason() {
    let mut daemon = Daemon::start(TO_FILE).await;
    let worker = daemon.status().await.workers[0].clone();
    // By its end: a result, a stream, errors of the app and of the caller.
    call(&daemon, "ok", "echo", args!["secret"]).await.expect("no panic");
    call(&daemon, "raised", "fail", args!["secret"]).await.expect("no panic");
    call(&daemon, "unknown", "nothing", args![]).await.expect("no panic");
    call(&daemon, "private", "_private", args![]).await.expect("no panic");
    let client = daemon.client().with_metadata("x-request-id", "streamed");
    let mut stream = client.stream("lab:Lab", "count", args![3]).await.expect("a stream");
    while let Some(chunk) = stream.next().await {
        chunk.expect("a chunk");
    }
    // By the queue: one runs, one waits until its time is over, one finds no room.
    let holding = call(&daemon, "held", "hold", args!["door"]);
    daemon.seen("door.started").await;
    let queued = call(&daemon, "left", "echo", args![]);
    daemon.until("it waits", |status| app(status, "lab:Lab").queued == 1).await;
    call(&daemon, "full", "echo", args![]).await.expect("no panic");
    queued.abort();
    daemon.until("it left", |status| app(status, "lab:Lab").queued == 0).await;
    let socket = daemon.socket();
    let late = execute_with(&socket, ("grpc-timeout", "50m"), "touch", &["x".into()]).await;
    failure(late, Code::DeadlineExceeded, Reason::QueueTimeout);
    daemon.touch("door");
    holding.await.expect("no panic");
    // By its time, by its caller, by its worker.
    let late = execute_with(&socket, ("grpc-timeout", "100m"), "patient", &["late".into()]).await;
    failure(late, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    daemon.seen("late.cancelled").await;
    let cancelled = call(&daemon, "cancelled", "patient", args!["leaves"]);
    daemon.seen("leaves.started").await;
    cancelled.abort();
    daemon.seen("leaves.cancelled").await;
    let crashed = call(&daemon, "crashed", "hold", args!["never"]);
    daemon.seen("never.started").await;
    signal(worker.pid, Signal::SIGKILL);
    crashed.await.expect("no panic");
    daemon.ready().await;
    // By the end.
    let running = call(&daemon, "cut", "hold", args!["end"]);
    daemon.seen("end.started").await;
    let waiting = call(&daemon, "drained", "echo", args![]);
    daemon.until("it waits", |status| app(status, "lab:Lab").queued == 1).await;
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    running.await.expect("no panic");
    waiting.await.expect("no panic");

    let lines = lines(&daemon, "access.log");
    let text = |line: &Json, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let mut told = BTreeMap::new();
    for line in &lines {
        let id = text(line, "request_id");
        // Those whose callers gave none have one of the arbiter.
        let id = if id.chars().all(|c| c.is_ascii_digit()) { text(line, "action") } else { id };
        assert_eq!(told.insert(id.clone(), text(line, "reason")), None, "{id} has two lines");
    }
    let expected = [
        ("ok", "OK"),
        ("raised", "APP_ERROR"),
        ("unknown", "ACTION_NOT_FOUND"),
        ("private", "ACTION_NOT_FOUND"),
        ("streamed", "OK"),
        ("held", "OK"),
        ("left", "CANCELLED"),
        ("full", "QUEUE_FULL"),
        ("touch", "QUEUE_TIMEOUT"),
        ("patient", "EXECUTION_TIMEOUT"),
        ("cancelled", "CANCELLED"),
        ("crashed", "WORKER_CRASHED"),
        ("cut", "WORKER_CRASHED"),
        ("drained", "DRAINING"),
    ];
    let expected = expected.map(|(id, reason)| (id.to_owned(), reason.to_owned()));
    assert_eq!(told, BTreeMap::from(expected));

    let of = |id: &str| lines.iter().find(|line| line["request_id"] == id).expect("its line");
    let ok = of("ok");
    assert_eq!(
        (&ok["app"], &ok["action"], &ok["code"]),
        (&"lab:Lab".into(), &"echo".into(), &"OK".into())
    );
    assert_eq!((&ok["worker_id"], &ok["worker_pid"]), (&worker.id.into(), &worker.pid.into()));
    assert_eq!(ok["pid"], std::process::id());
    assert_eq!(ok["uid"], nix::unistd::geteuid().as_raw());
    let (total, queue, run) = (&ok["total_ms"], &ok["queue_ms"], &ok["run_ms"]);
    let number = |value: &Json| value.as_f64().expect("a number");
    assert!((number(total) - number(queue) - number(run)).abs() < 0.01, "{ok}");
    assert!(ok["bytes_in"].as_u64() > Some(0) && ok["bytes_out"].as_u64() > Some(0), "{ok}");
    assert_eq!(of("streamed")["chunks"], 3);
    assert!(of("streamed")["first_chunk_ms"].is_number());
    assert_eq!(of("full").get("worker_id"), None, "it never got there");
    let raw = fs::read_to_string(daemon.path("access.log")).expect("the file");
    assert!(!raw.contains("secret"), "no argument and no message: {raw}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usr1_opens_the_file_again() {
    let daemon = Daemon::start(TO_FILE).await;
    call(&daemon, "before", "echo", args![]).await.expect("no panic");
    line(&daemon, "before").await;
    fs::rename(daemon.path("access.log"), daemon.path("access.log.1")).expect("renamed");
    daemon.signal(Signal::SIGUSR1);
    // A signal has no answer: call until it has come.
    eventually(LIMIT, "a new file", async || {
        call(&daemon, "after", "echo", args![]).await.expect("no panic");
        daemon.path("access.log").exists().then_some(())
    })
    .await;
    line(&daemon, "after").await;
    assert!(lines(&daemon, "access.log.1").iter().any(|line| line["request_id"] == "before"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_the_lines_are_in_the_log_and_names_forge_none() {
    let config =
        "log_filter = \"warn\"\n[observe]\naccess_log = \"errors\"\n[[app]]\npath = \"lab:Lab\"";
    let daemon = Daemon::start(config).await;
    let client = daemon.client();
    client.execute("lab:Lab", "echo", args![]).await.expect("echo");
    let forged = "x\nOK lab:Lab.forged";
    client.execute("lab:Lab", forged, args![]).await.expect_err("no such action");
    daemon.logged("ACTION_NOT_FOUND lab:Lab.\"x\\nOK lab:Lab.forged\"").await;
    let log = daemon.log();
    assert!(!log.contains("lab:Lab.echo") && !log.contains("\nOK"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_json_has_the_fields_of_a_line_beside_its_own() {
    let config =
        "log_format = \"json\"\n[observe]\naccess_log = \"all\"\n[[app]]\npath = \"lab:Lab\"";
    let daemon = Daemon::start(config).await;
    call(&daemon, "ok", "echo", args!["secret"]).await.expect("no panic");
    let line = eventually(LIMIT, "the line", async || {
        let is_it = |line: &Json| line["target"] == "dirtyd::access";
        lines(&daemon, "log").into_iter().find(is_it)
    })
    .await;
    for (key, value) in
        [("app", "lab:Lab"), ("action", "echo"), ("reason", "OK"), ("request_id", "ok")]
    {
        assert_eq!(line[key], value, "{line}");
    }
    assert_eq!(line["pid"], std::process::id());
    assert!(line["total_ms"].is_number() && line.get("trace_id").is_none(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_call_has_a_line_although_the_log_is_off() {
    let config = TO_FILE.replace("access_log = \"all\"", "slow = \"100ms\"");
    let daemon = Daemon::start(&config).await;
    call(&daemon, "fast", "fail", args!["x"]).await.expect("no panic");
    call(&daemon, "slow", "sleep", args![0.2]).await.expect("no panic");
    line(&daemon, "slow").await;
    assert_eq!(lines(&daemon, "access.log").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_no_call() {
    let daemon = Daemon::start(&TO_FILE.replace("\"access.log\"", "\"/dev/full\"")).await;
    for number in 0..10 {
        daemon.client().execute("lab:Lab", "echo", args![number]).await.expect("echo");
    }
    daemon.logged("the access log cannot be written to /dev/full").await;
}
