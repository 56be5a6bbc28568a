//! Workers that misbehave: each is handled, bounded, and named in the log.

use std::time::Duration;

use dirtyd_client::{Client, args};
use nix::sys::signal::Signal;

use crate::{
    family::{Family, LIFE, is_alive},
    support::{LIMIT, eventually, pids, signal},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_that_ignores_term_is_killed_after_its_time() {
    let mut family =
        Family::with("graceful_timeout = \"300ms\"\n[[app]]\npath = \"life:Stubborn\"\n").await;
    let worker = pids(&family.status().await)[0];
    signal(worker, Signal::SIGTERM);
    let served = family.connect().execute("life:Stubborn", "pid", args![]).await.expect("served");
    assert_eq!(served.as_int(), Some(i64::from(worker)), "TERM alone does not end it");
    family.signal(Signal::SIGTERM);
    family.ended().await;
    family.extinct().await;
    assert!(family.log().contains(&format!("killing worker 1 (pid {worker})")), "{}", family.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_worker_forked_ends_with_it() {
    for leave_group in [false, true] {
        let family = Family::with("[[app]]\npath = \"life:Life\"\n").await;
        let worker = pids(&family.status().await)[0];
        let child = fork(&family.connect(), leave_group).await;
        signal(worker, Signal::SIGKILL);
        family.gone(&[worker, child]).await;
        family.connect().execute(LIFE, "pid", args![]).await.expect("the next one serves");
        if leave_group {
            family.logged(&format!("process {child} (`sleep`) was left behind")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_worker_forked_ends_with_the_dirty_arbiter() {
    for leave_group in [false, true] {
        let family = Family::with("[[app]]\npath = \"life:Life\"\n").await;
        let child = fork(&family.connect(), leave_group).await;
        signal(family.named("dirtyd-dirty.pid").await, Signal::SIGKILL);
        family.gone(&[child]).await;
        family.connect().execute(LIFE, "pid", args![]).await.expect("the next one serves");
    }
}

/// A browser, an office suite or a database that an app has started.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_daemon_that_a_worker_started_ends_with_that_worker_and_not_before() {
    for single in [false, true] {
        let config = "workers = 2\n[[app]]\npath = \"life:Life\"\n";
        let family = if single { Family::single(config).await } else { Family::with(config).await };
        let client = family.connect();
        let started = client.execute(LIFE, "daemon", args![]).await.expect("started");
        let daemon = started.as_int().expect("a pid") as i32;
        let [own, other] = family.starter_first(daemon).await;
        signal(other, Signal::SIGKILL);
        family.gone(&[other]).await;
        family
            .until("the other worker is replaced", |status| {
                status.workers.len() == 2 && !pids(status).contains(&other)
            })
            .await;
        // Its end is noticed, and what it left is looked for.
        family.logged("was killed by SIGKILL").await;
        client.execute(LIFE, "pid", args![]).await.expect("served");
        assert!(is_alive(daemon), "single: {single}; {}", family.log());
        signal(own, Signal::SIGKILL);
        family.gone(&[own, daemon]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_killed_worker_shared_is_removed() {
    let family = Family::with("[[app]]\npath = \"life:Life\"\n").await;
    let name = family.call("share").await.expect("made");
    let shared = format!("/dev/shm/{}", name.as_str().expect("its name"));
    let shared = std::path::Path::new(&shared);
    assert!(shared.exists());
    signal(pids(&family.status().await)[0], Signal::SIGKILL);
    let removed = async || (!shared.exists()).then_some(());
    eventually(LIMIT, "the shared memory is removed", removed).await;
}

/// A process that a worker forked stays as long as the worker does, even if
/// another worker ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_live_worker_forked_is_left_alone() {
    let family = Family::start().await;
    let client = family.connect();
    let child = fork(&client, false).await;
    let workers = pids(&family.status().await);
    let group = nix::unistd::getpgid(Some(nix::unistd::Pid::from_raw(child))).expect("it lives");
    let other = workers.iter().find(|pid| **pid != group.as_raw()).expect("two workers");
    signal(*other, Signal::SIGKILL);
    family
        .until("it is replaced", |status| {
            status.workers.len() == 2 && !pids(status).contains(other)
        })
        .await;
    family.ready().await;
    assert!(is_alive(child));
}

async fn fork(client: &Client, leave_group: bool) -> i32 {
    let args = args![].kwarg("leave_group", leave_group);
    let pid = client.execute(LIFE, "fork", args).await.expect("forked").as_int().expect("a pid");
    pid as i32
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_whose_init_hangs_is_ended_and_tried_again() {
    let family = Family::launch(
        "boot_timeout = \"2s\"\n[[app]]\npath = \"life:Moody\"\n",
        &[("mood", "hang")],
    )
    .await;
    family.logged("killing worker 1").await;
    std::fs::remove_file(family.path("mood")).expect("file");
    eventually(LIMIT, "a later one serves", async || {
        family.connect().execute("life:Moody", "pid", args![]).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_of_stderr_is_cut_told_and_blocks_nothing() {
    let family = Family::with("[[app]]\npath = \"life:Life\"\n").await;
    let worker = pids(&family.status().await)[0];
    let flood = family.connect().execute(LIFE, "flood", args![20_000]).await.expect("it ends");
    assert_eq!(flood.as_int(), Some(20_000));
    // It is silent from now on: what was lost is told all the same.
    family.logged(&format!("worker 1 (pid {worker}) wrote more than 2000 lines a second")).await;
    family.call("pid").await.expect("it serves on");
    let lines = family.log().lines().filter(|line| line.contains("flood ")).count();
    assert!(lines <= 10_000, "{lines} lines were logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_that_closes_its_socket_but_lives_is_killed_and_replaced() {
    let family = Family::with("[[app]]\npath = \"life:Life\"\n").await;
    let worker = pids(&family.status().await)[0];
    let client = family.connect();
    let lost = client.execute(LIFE, "close_socket", args![]);
    let lost = tokio::time::timeout(Duration::from_secs(20), lost)
        .await
        .expect("it has an outcome")
        .expect_err("it died");
    assert!(lost.to_string().contains("WORKER_CRASHED"), "{lost}");
    family.gone(&[worker]).await;
    family.connect().execute(LIFE, "pid", args![]).await.expect("the next one serves");
    family.logged("it closed its socket but did not exit").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_that_is_stopped_while_idle_is_replaced() {
    let family = Family::with("heartbeat = \"200ms\"\n[[app]]\npath = \"life:Life\"\n").await;
    let worker = pids(&family.status().await)[0];
    signal(worker, Signal::SIGSTOP);
    family.gone(&[worker]).await;
    family.connect().execute(LIFE, "pid", args![]).await.expect("the next one serves");
    family.logged("it did not answer the heartbeat").await;
}
