//! Recycling: who has served, lived or grown enough is replaced, its replacement
//! ready first, and no call notices.

use std::fs;

use dirtyd_client::{args, proto::v1::StatusResponse};
use tokio::task::LocalSet;

use crate::{
    family::{Family, LIFE},
    load::Load,
    support::{LIMIT, eventually, pids},
};

/// Serves a load until a number of workers have been started; no call may fail, and
/// no worker be missing meanwhile.
async fn under_load(workers: usize, rule: &str, started: u64) -> Family {
    let family =
        Family::with(&format!("workers = {workers}\n{rule}\n[[app]]\npath = \"life:Life\"\n"))
            .await;
    let load = Load::start(&family, 2);
    let newest = |status: &StatusResponse| status.workers.iter().map(|worker| worker.id).max();
    family.until("workers are replaced", |status| newest(status) >= Some(started)).await;
    load.stop_without_failures().await;
    family.never_fewer_ready(workers);
    family
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn max_requests_counts_with_jitter_and_fails_no_call() {
    LocalSet::new()
        .run_until(async {
            let rule = "max_requests = 20\nmax_requests_jitter = 10";
            let family = under_load(2, rule, 8).await;
            let log = family.log();
            let counts: Vec<u64> = log
                .lines()
                .filter_map(|line| {
                    line.split_once("it has served ")?.1.split_once(" calls (max_requests)")
                })
                .map(|(count, _)| count.parse().expect("a number"))
                .collect();
            assert!(counts.len() >= 6, "{log}");
            assert!(counts.iter().all(|count| (20..=30).contains(count)), "{counts:?}");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn max_lifetime_fails_no_call() {
    LocalSet::new()
        .run_until(async {
            let family = under_load(1, "max_lifetime = \"1s\"", 4).await;
            family.logged("old (max_lifetime)").await;
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn max_memory_replaces_only_who_has_grown() {
    let family =
        Family::with("workers = 2\nmax_memory = \"200MiB\"\n[[app]]\npath = \"life:Life\"\n").await;
    let before = pids(&family.status().await);
    let grown = family.connect().execute(LIFE, "grow", args![300]).await.expect("it fits");
    let grown = grown.as_int().expect("a pid") as i32;
    let after = family
        .until("it is replaced", |status| {
            status.workers.len() == 2 && !pids(status).contains(&grown)
        })
        .await;
    let stayed: Vec<_> = before.iter().filter(|pid| pids(&after).contains(pid)).collect();
    assert_eq!((before.contains(&grown), stayed.len()), (true, 1));
    family.logged("of memory (max_memory)").await;
    family.never_fewer_ready(2);
}

/// Its replacement would be no smaller.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_is_too_large_from_the_start_is_not_replaced_but_told() {
    let rules = "max_memory = \"1MiB\"\nmax_requests = 2";
    let family = Family::with(&format!("{rules}\n[[app]]\npath = \"life:Life\"\n")).await;
    let worker = pids(&family.status().await)[0];
    let told = format!("worker 1 (pid {worker}) has just started, and it uses");
    family.logged(&told).await;
    // Another rule holds all the same; by then its memory was looked at.
    let old = async || family.status().await.workers[0].age.is_some_and(|age| age.seconds >= 2);
    eventually(LIMIT, "it is older than a look", async || old().await.then_some(())).await;
    assert_eq!(pids(&family.status().await), [worker]);
    for _ in 0..2 {
        family.call("pid").await.expect("served");
    }
    family.logged("calls (max_requests)").await;
    assert!(!family.log().contains(": it uses"), "{}", family.log());
}

/// The rules of an app count its own calls, and concern the workers that load it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_app_may_have_rules_of_its_own() {
    let family = Family::with(
        "workers = 2\n[[app]]\npath = \"life:Life\"\n[[app]]\npath = \"life:Moody\"\nworkers = 1\nmax_requests = 3\nmax_memory = \"200MiB\"\n",
    )
    .await;
    let client = family.connect();
    let call = async |app: &str| {
        client.execute(app, "pid", args![]).await.expect("served").as_int().expect("a pid") as i32
    };
    for _ in 0..10 {
        call(LIFE).await;
    }
    let holder = call("life:Moody").await;
    for _ in 0..2 {
        assert_eq!(call("life:Moody").await, holder, "neither calls of others nor too few");
    }
    let replaced = |old: i32| {
        move |status: &StatusResponse| status.workers.len() == 2 && !pids(status).contains(&old)
    };
    family.until("the third call replaced it", replaced(holder)).await;
    family.logged("it has served 3 calls of app `life:Moody` (max_requests)").await;

    let holder = call("life:Moody").await;
    client.execute("life:Moody", "grow", args![300]).await.expect("it fits");
    family.until("its memory replaced it", replaced(holder)).await;
    family.logged("(max_memory of app `life:Moody`)").await;
    family.never_fewer_ready(2);
}

/// It would be replaced by one that cannot serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_good_replacement_the_old_one_stays() {
    let family = Family::with("max_requests = 1\n[[app]]\npath = \"life:Moody\"\n").await;
    let before = pids(&family.status().await);
    fs::write(family.path("mood"), "raise").expect("file");
    let client = family.connect();
    client.execute("life:Moody", "pid", args![]).await.expect("served");
    let stays = format!("worker 1 (pid {}) was not replaced and keeps serving", before[0]);
    family.logged(&stays).await;
    let served = client.execute("life:Moody", "pid", args![]).await.expect("served");
    assert_eq!(served.as_int(), Some(before[0].into()));
    family.never_fewer_ready(1);
}
