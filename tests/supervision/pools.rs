//! Reload of one pool: what is named changes, all else stays as it runs.

use std::fs;

use dirtyd_client::{args, proto::v1::StatusResponse};
use nix::sys::signal::Signal;

use crate::{
    family::{Family, LIFE},
    support::{Output, python, python_path, repository, signal},
};

const MOODY: &str = "life:Moody";

/// The default pool with `life:Life`, and one named `moody`.
fn two(threads: u32, settings: &str) -> String {
    format!("threads = {threads}\nboot_timeout = \"2s\"\n{DEFAULT}{}", moody(threads, settings))
}

const DEFAULT: &str = "[[app]]\npath = \"life:Life\"\n";

fn moody(threads: u32, settings: &str) -> String {
    pool("moody", &format!("threads = {threads}\n{settings}\napp = [{{ path = \"{MOODY}\" }}]"))
}

fn pool(name: &str, settings: &str) -> String {
    let apps = repository().join("tests/supervision/apps");
    let (python, path) = (python(), python_path(&apps));
    format!(
        "[[pool]]\nname = {name:?}\npython = {python:?}\nenv = {{ PYTHONPATH = {path:?} }}\n{settings}\n"
    )
}

/// Process ids and threads of the workers of a pool.
fn workers(status: &StatusResponse, pool: &str) -> Vec<(i32, u32)> {
    let of_pool = status.workers.iter().filter(|worker| worker.pool == pool);
    of_pool.map(|worker| (worker.pid, worker.threads)).collect()
}

/// Reloads one pool, waits until the old workers have left, and gives the
/// workers of the default pool and of `moody`.
async fn reloaded(family: &Family, pool: &str, said: &str) -> [Vec<(i32, u32)>; 2] {
    let old = workers(&family.status().await, pool);
    let output = family.run(&["reload", "--pool", pool]).await;
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), said), "{}", output.stderr);
    family.ready().await;
    let gone = |status: &StatusResponse| {
        status.workers.iter().all(|worker| old.iter().all(|(pid, _)| *pid != worker.pid))
    };
    let status = family.until("the old workers have left", gone).await;
    ["default", "moody"].map(|pool| workers(&status, pool))
}

fn refused(output: &Output, words: &[&str]) {
    assert_eq!(output.code, Some(1), "{output:?}");
    for word in words {
        assert!(output.stderr.contains(word), "{word:?} in {}", output.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn only_the_pool_that_is_named_takes_its_new_settings() {
    let family = Family::with(&two(1, "")).await;
    let before = family.status().await;
    let [default, moody] = ["default", "moody"].map(|pool| workers(&before, pool));
    family.configure(&two(2, "workers = 2"));

    let one = "reloaded: 1 worker replaced\n";
    let [same, new] = reloaded(&family, "moody", one).await;
    assert_eq!(same, default, "the other pool stays as it runs");
    assert_eq!(new.iter().map(|(_, threads)| *threads).collect::<Vec<_>>(), [2, 2]);
    assert!(!new.contains(&moody[0]));

    // Also a worker that crashes is replaced by one like it.
    signal(default[0].0, Signal::SIGKILL);
    let crashed = |status: &StatusResponse| !workers(status, "default").contains(&default[0]);
    family.until("the crashed worker is gone", crashed).await;
    family.ready().await;
    assert_eq!(workers(&family.status().await, "default")[0].1, 1);

    let [changed, same] = reloaded(&family, "default", one).await;
    assert_eq!(changed.iter().map(|(_, threads)| *threads).collect::<Vec<_>>(), [2]);
    assert_eq!(same, new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_cannot_be_reloaded_alone_changes_nothing() {
    let family = Family::with(&two(1, "")).await;
    let before = family.status().await;
    let none = family.run(&["reload", "--pool", "none"]).await;
    refused(&none, &["NOT_FOUND", "there is no pool `none`; the pools are `default`, `moody`"]);

    // The whole configuration must be good.
    family.configure(
        &two(1, "").replace("path = \"life:Life\"", "path = \"life:Life\"\nwrokers = 1"),
    );
    refused(&family.run(&["reload", "--pool", "moody"]).await, &["wrokers"]);

    // An app that moves needs both of its pools.
    family.configure(&pool("moody", "app = [{ path = \"life:Moody\" }, { path = \"life:Life\" }]"));
    for pool in ["default", "moody"] {
        let moves = family.run(&["reload", "--pool", pool]).await;
        refused(
            &moves,
            &["life:Life` moves from pool `default` to pool `moody`", "nothing changed"],
        );
    }
    let after = family.status().await;
    for pool in ["default", "moody"] {
        assert_eq!(workers(&after, pool), workers(&before, pool));
    }
    family.call("pid").await.expect("served as before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pool_comes_and_goes_by_its_name() {
    let family = Family::with(DEFAULT).await;
    let before = workers(&family.status().await, "default");
    // The default pool has changed as well, and is not named.
    family.configure(&two(2, ""));
    let [same, new] = reloaded(&family, "moody", "reloaded: 0 workers replaced\n").await;
    assert_eq!((&same, new.len()), (&before, 1));
    family.connect().execute(MOODY, "pid", args![]).await.expect("the new pool serves");

    family.configure(DEFAULT);
    let [same, gone] = reloaded(&family, "moody", "reloaded: 0 workers replaced\n").await;
    assert_eq!((same, gone), (before, vec![]));
    family.connect().execute(MOODY, "pid", args![]).await.expect_err("the old app");
    family.connect().execute(LIFE, "pid", args![]).await.expect("the other app");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pool_whose_new_worker_does_not_become_ready_keeps_its_old_settings() {
    let family = Family::with(&two(1, "")).await;
    let before = family.status().await;
    fs::write(family.path("mood"), "hang").expect("file");
    family.configure(&two(2, ""));
    let reload = async {
        refused(
            &family.run(&["reload", "--pool", "moody"]).await,
            &["reload of pool `moody` abandoned; the old workers stay in service"],
        );
    };
    let hangup = async {
        family.logged("reload of pool `moody`: replacing 1 worker").await;
        family.signal(Signal::SIGHUP);
        family.logged("SIGHUP: another reload is running").await;
    };
    tokio::join!(reload, hangup);

    fs::write(family.path("mood"), "").expect("file");
    let after = family.until("the new worker is gone", |s| s.workers.len() == 2).await;
    for pool in ["default", "moody"] {
        assert_eq!(workers(&after, pool), workers(&before, pool));
    }
    signal(workers(&after, "moody")[0].0, Signal::SIGKILL);
    let old = workers(&before, "moody")[0];
    family.until("it is gone", |status| !workers(status, "moody").contains(&old)).await;
    family.ready().await;
    assert_eq!(workers(&family.status().await, "moody")[0].1, 1, "its replacement is like it");
}
