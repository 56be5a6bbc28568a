//! Workers that break the protocol: the caller gets its one outcome, the worker
//! is replaced, the log says why, and the arbiter serves on.

use dirtyd_client::{Client, Error, Reason, Stream, Value, args};
use nix::sys::signal::Signal;
use tonic::Code;

use crate::support::{Daemon, failure, pids, python, repository, signal};

/// A pool of one worker that commits faults.
fn faulty(arguments: &str, settings: &str) -> String {
    pool(&format!("\"faulty.py\"{arguments}"), settings)
}

fn pool(script: &str, settings: &str) -> String {
    let script =
        script.replacen('"', &format!("\"{}/", repository().join("tests/workers").display()), 1);
    format!(
        "{settings}\n[[pool]]\nname = \"faults\"\ncommand = [{:?}, {script}]\napp = [{{ path = \"Faulty\" }}]",
        python()
    )
}

async fn serves(client: &Client) -> i64 {
    client.execute("Faulty", "work", args![]).await.expect("work").as_int().expect("pid")
}

async fn ended(mut stream: Stream) -> Result<(), Error> {
    while let Some(chunk) = stream.next().await {
        chunk?;
    }
    Ok(())
}

/// Commits a fault in an Execute: the call is lost, the worker replaced, and the
/// log has each of `words`.
async fn is_replaced(fault: &str, words: &[&str]) {
    let daemon = Daemon::start(&faulty("", "")).await;
    let client = daemon.client();
    let before = serves(&client).await;
    let outcome = client.execute("Faulty", fault, args![]).await;
    let crashed = failure(outcome, Code::Aborted, Reason::WorkerCrashed);
    assert_eq!(crashed.facts["worker_pid"], before.to_string());
    assert_ne!(serves(&client).await, before, "another worker serves");
    for word in words {
        daemon.logged(word).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exits_mid_call() {
    is_replaced("exit_mid_call", &["exited with code 3", "1 started call was lost"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaves_half_a_frame() {
    is_replaced("half_a_frame", &["closed its socket in the middle of a frame", "with code 4"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn announces_a_frame_over_the_limit() {
    is_replaced("oversize_frame", &["it sent a frame of 2147483648 bytes"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_garbage() {
    is_replaced("garbage", &["it sent a malformed frame"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_a_frame_of_no_kind() {
    is_replaced("unknown_kind", &["unknown kind"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_for_an_app_that_nobody_asked_for() {
    is_replaced("strange_app", &["nobody:Asked"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn says_hello_twice() {
    is_replaced("second_hello", &["it said hello"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_a_plain_call_like_a_stream() {
    is_replaced("end_of_a_plain_call", &["with End, which asks for a result"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closes_its_socket_and_lives() {
    is_replaced("close_and_live", &["it closed its socket but did not exit"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dies_while_its_child_keeps_the_descriptors() {
    // The test's end proves that the child is gone too.
    is_replaced("fork_a_child", &["exited with code 5"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dies_while_its_child_writes_for_ever() {
    is_replaced("leave_a_child_that_writes", &["exited with code 7"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_the_arbiter_with_frames_that_nobody_asked_for() {
    is_replaced("flood_of_strange_frames", &["frames in 1s that were not asked for"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overruns_its_credit() {
    let daemon = Daemon::start(&faulty("", "")).await;
    let client = daemon.client();
    let before = serves(&client).await;
    let stream = client.stream("Faulty", "overrun", args![]).await.expect("stream");
    failure(ended(stream).await, Code::Aborted, Reason::WorkerCrashed);
    assert_ne!(serves(&client).await, before);
    daemon.logged("it overran the credit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_frames_are_dropped_and_counted() {
    let daemon = Daemon::start(&faulty("", "")).await;
    let client = daemon.client();
    let pid = serves(&client).await;
    let answer = client.execute("Faulty", "late_frames", args![]).await.expect("its own answer");
    assert_eq!(answer, Value::from(pid));
    assert_eq!(serves(&client).await, pid, "the next call gets its own answer too");
    let status = daemon.status().await;
    assert_eq!(status.arbiter.expect("arbiter").late_frames, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_stderr_blocks_nobody() {
    let daemon = Daemon::start(&faulty("", "")).await;
    let client = daemon.client();
    let pid = serves(&client).await;
    let answer = client.execute("Faulty", "flood_stderr", args![]).await;
    assert_eq!(answer.expect("it can write all of it"), Value::from(pid));
    daemon.logged("line 0 of a flood").await;
    let size = daemon.log().len();
    assert!(size < 4 << 20, "{size} bytes of log: the flood is thinned out");
}

/// It dies of a request that it has not even read: the call has not started, but
/// is not sent from worker to worker until none is left.
#[tokio::test(flavor = "multi_thread")]
async fn dies_of_a_request_before_it_has_it() {
    let daemon = Daemon::start(&faulty(", \"--picky\"", "")).await;
    let client = daemon.client();
    let huge = Value::from(vec![0_u8; 32 << 20].as_slice());
    let outcome = client.execute("Faulty", "work", args![huge]).await;
    let crashed = failure(outcome, Code::Aborted, Reason::WorkerCrashed);
    assert_eq!(crashed.facts["exit_code"], "6");
    serves(&client).await;
    assert_eq!(daemon.status().await.workers[0].id, 3, "two workers died of it");
    daemon.logged("2 workers died while call").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ignores_shutdown() {
    let mut daemon =
        Daemon::start(&faulty(", \"--stubborn\"", "graceful_timeout = \"500ms\"")).await;
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(daemon.ended().await.success(), "the drain ends all the same");
}

/// A worker that never boots: calls are refused with why, others are served.
async fn never_boots(how: &str, boot_timeout: &str, why: &str) {
    let settings = "[[app]]\npath = \"lab:Lab\"";
    let config = pool(&format!("\"bad_boot.py\", {how:?}"), settings);
    let own = format!("boot_timeout = {boot_timeout:?}\napp = [{{ path");
    let config = config.replace("app = [{ path", &own);
    let daemon = Daemon::launch(&config).await;
    let outcome = daemon.client().execute("Faulty", "work", args![]).await;
    let refused = failure(outcome, Code::Unavailable, Reason::NoWorkers);
    assert!(refused.message.contains(why), "{}", refused.message);
    assert!(refused.retry_after.is_some());
    daemon.client().execute("lab:Lab", "echo", args![]).await.expect("the other pool serves");
    // It is tried again, with pauses.
    daemon.logged("the next try is in").await;
    daemon
        .until("a second try", |status| pids(status).len() == 2 && status.workers[1].id > 2)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exits_before_hello() {
    never_boots("exit", "60s", "exited with code 9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn never_says_hello() {
    never_boots("silent", "400ms", "it did not say hello").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speaks_another_version() {
    never_boots("version", "60s", "protocol version 99").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speaks_another_protocol() {
    never_boots("noise", "60s", "it sent a frame of").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stops_answering_though_it_is_idle() {
    let settings = "heartbeat = \"400ms\"\nkill_grace = \"200ms\"\n[[app]]\npath = \"lab:Lab\"";
    let daemon = Daemon::start(settings).await;
    let stopped = pids(&daemon.status().await)[0];
    signal(stopped, Signal::SIGSTOP);
    daemon.logged("it did not answer the heartbeat").await;
    daemon
        .until("another serves", |status| {
            status.apps[0].ready_workers == 1 && !pids(status).contains(&stopped)
        })
        .await;
}
