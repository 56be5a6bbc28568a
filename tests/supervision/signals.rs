//! The signals of the main arbiter, under load where that matters.

use std::{fs, time::Duration};

use dirtyd_client::{args, proto::v1::WorkerState};
use nix::sys::signal::Signal;
use tokio::task::LocalSet;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    family::{Family, LIFE},
    load::Load,
    support::{LIMIT, eventually},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn term_finishes_what_runs_and_leaves_no_file() {
    let mut family = Family::start().await;
    let call = tokio::spawn({
        let client = family.connect();
        async move { client.execute(LIFE, "nap", args![0.5]).await }
    });
    family.until("the call runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
    family.signal(Signal::SIGTERM);
    assert!(family.ended().await.success());
    call.await.expect("no panic").expect("it ran when the drain began");
    assert_eq!(family.files(), ["dirtyd.toml", "log"]);
    family.extinct().await;
}

/// Their connections would stay open for as long as a drain may take, and idle
/// workers be killed in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_watches_events_or_health_does_not_hold_up_a_drain() {
    let mut family =
        Family::with("graceful_timeout = \"600s\"\n[[app]]\npath = \"life:Life\"\n").await;
    let watcher = family
        .command(&["events"])
        .stdout(fs::File::create(family.path("events")).expect("file"))
        .spawn()
        .expect("starts");
    let mut health = HealthClient::new(family.channel());
    let request = HealthCheckRequest { service: LIFE.to_owned() };
    let mut health = health.watch(request).await.expect("watched").into_inner();
    let serving = health.message().await.expect("no error").expect("the status");
    assert_eq!(serving.status(), ServingStatus::Serving);
    // Something to see, so that the watcher is there.
    eventually(LIMIT, "events are seen", async || {
        family.signal(Signal::SIGHUP);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let seen = fs::read_to_string(family.path("events")).unwrap_or_default();
        seen.contains("reload_started").then_some(())
    })
    .await;
    family.signal(Signal::SIGTERM);
    assert!(family.ended().await.success());
    let log = family.log();
    assert!(!log.contains("graceful_timeout passed"), "{log}");
    let output = watcher.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the end of the arbiter is no failure of the watcher");
    let seen = fs::read_to_string(family.path("events")).expect("file");
    assert!(seen.lines().last().is_some_and(|line| line.contains("draining")), "{seen}");
    while let Ok(Some(_)) = health.message().await {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn int_again_and_quit_end_at_once() {
    for signals in [&[Signal::SIGTERM, Signal::SIGINT][..], &[Signal::SIGQUIT]] {
        let mut family = Family::start().await;
        let call = tokio::spawn({
            let client = family.connect();
            async move { client.execute(LIFE, "nap", args![1000]).await }
        });
        family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
        family.signal(signals[0]);
        if signals.len() > 1 {
            family.logged("the dirty arbiter was told to stop").await;
            family.signal(signals[1]);
        }
        assert!(family.ended().await.success());
        assert!(call.await.expect("no panic").is_err());
        family.extinct().await;
        assert_eq!(family.files(), ["dirtyd.toml", "log"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hup_ten_times_under_load_fails_no_call() {
    LocalSet::new()
        .run_until(async {
            let family = Family::start().await;
            let load = Load::start(&family, 2);
            for reloads in 1..=10 {
                load.serve(5).await;
                family.signal(Signal::SIGHUP);
                let done = |status: &dirtyd_client::proto::v1::StatusResponse| {
                    status.arbiter.as_ref().is_some_and(|arbiter| arbiter.reloads == reloads)
                };
                family.until("the reload is done", done).await;
            }
            load.stop_without_failures().await;
            family.never_fewer_ready(2);
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ttin_and_ttou_at_random_under_load_fail_no_call() {
    LocalSet::new()
        .run_until(async {
            let family = Family::start().await;
            let load = Load::start(&family, 2);
            let mut random = fastrand::Rng::with_seed(7);
            let mut workers = 2;
            for _ in 0..20 {
                let up = workers == 1 || (workers < 4 && random.bool());
                workers = if up { workers + 1 } else { workers - 1 };
                family.signal(if up { Signal::SIGTTIN } else { Signal::SIGTTOU });
                let staying = |status: &dirtyd_client::proto::v1::StatusResponse| {
                    let stays = |w: &&_| {
                        dirtyd_client::proto::v1::WorkerStatus::state(w) != WorkerState::Draining
                    };
                    status.workers.iter().filter(stays).count() == workers
                };
                family.until("the size is right", staying).await;
                load.serve(3).await;
            }
            load.stop_without_failures().await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn usr1_opens_the_log_anew_at_both_levels() {
    let family = Family::with("log_file = \"dirtyd.log\"\n[[app]]\npath = \"life:Life\"\n").await;
    fs::rename(family.path("dirtyd.log"), family.path("dirtyd.log.1")).expect("rotated");
    family.signal(Signal::SIGUSR1);
    // HUP makes both of them write.
    eventually(LIMIT, "both write the new file", async || {
        family.signal(Signal::SIGHUP);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let log = fs::read_to_string(family.path("dirtyd.log")).unwrap_or_default();
        (log.contains("the dirty arbiter reloads") && log.contains("reload finished")).then_some(())
    })
    .await;
}
