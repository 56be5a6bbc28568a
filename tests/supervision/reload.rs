//! Reload: what is bad changes nothing, what is new takes effect.

use std::fs;

use dirtyd::client::args;
use nix::sys::signal::Signal;
use tokio::task::LocalSet;

use crate::{
    family::{Family, LIFE},
    footprint::arbiters,
    load::Load,
    support::{LIMIT, app, eventually, pids, signal},
};

const TWO: &str = "workers = 2\nboot_timeout = \"2s\"\n[[app]]\npath = \"life:Moody\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_configuration_changes_nothing_and_says_why() {
    let family = Family::start().await;
    let before = pids(&family.status().await);
    family.configure("wrokers = 3\n[[app]]\npath = \"life:Life\"\n");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1));
    assert!(reload.stderr.contains("wrokers"), "{}", reload.stderr);
    family.signal(Signal::SIGHUP);
    family.logged("the configuration is not used, nothing changes").await;
    assert_eq!(pids(&family.status().await), before);
}

/// Not even if the dirty arbiter dies before the file is mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_configuration_does_not_keep_a_dead_arbiter_from_coming_back() {
    let family = Family::start().await;
    family.configure("workers = 3\n[[app]]\npath = \"life:Life\"\n");
    assert_eq!(family.run(&["reload"]).await.code, Some(0));
    family.configure("wrokers = 4\n[[app]]\npath = \"life:Life\"\n");
    let (main, arbiter) = arbiters(&family).await;
    signal(arbiter, Signal::SIGKILL);
    family.renamed("dirtyd-dirty.pid", arbiter).await;
    family.connect().execute(LIFE, "pid", args![]).await.expect("served as before");
    assert_eq!(family.status().await.apps[0].allocated_workers, 3, "what was valid last");
    family.logged("starts with the configuration that was valid last").await;
    assert_eq!(family.named("dirtyd.pid").await, main);
    family.configure("workers = 2\n[[app]]\npath = \"life:Life\"\n");
    assert_eq!(family.run(&["reload"]).await.code, Some(0));
    assert_eq!(family.status().await.apps[0].allocated_workers, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_does_not_become_ready_leaves_the_old_one() {
    for mood in ["raise", "hang"] {
        let family = Family::with(TWO).await;
        let before = pids(&family.status().await);
        fs::write(family.path("mood"), mood).expect("file");
        let reload = family.run(&["reload"]).await;
        assert_eq!(reload.code, Some(1), "{mood}: {}", reload.stdout);
        assert!(reload.stderr.contains("the old workers stay"), "{mood}: {}", reload.stderr);
        let after = family.until("the new worker is gone", |s| s.workers.len() == 2).await;
        assert_eq!(pids(&after), before);
        family.connect().execute("life:Moody", "pid", args![]).await.expect("served as before");
    }
}

/// The old worker becomes ready while the new one boots: that replaces nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reload_while_the_old_worker_boots_waits_for_the_new_one() {
    let config = "boot_timeout = \"4s\"\n[[app]]\npath = \"life:Moody\"\n";
    let family = Family::launch(config, &[("mood", "slow")]).await;
    family.logged("started worker 1").await;
    eventually(LIMIT, "init() of the old one runs", async || {
        family.path("booting").exists().then_some(())
    })
    .await;
    fs::write(family.path("mood"), "hang").expect("file");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    family.connect().execute("life:Moody", "pid", args![]).await.expect("the old one serves");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn new_code_is_loaded() {
    let code =
        |version: u8| format!("class App:\n    def __call__(self, action): return {version}\n");
    let family = Family::launch("[[app]]\npath = \"fresh:App\"\n", &[("fresh.py", &code(1))]).await;
    let client = family.connect();
    for version in 1..=2 {
        let served = client.execute("fresh:App", "version", args![]).await.expect("served");
        assert_eq!(served.as_int(), Some(version.into()));
        fs::write(family.path("fresh.py"), code(version + 1)).expect("file");
        let reload = family.run(&["reload"]).await;
        assert_eq!(
            (reload.code, reload.stdout.as_str()),
            (Some(0), "reloaded: 1 workers replaced\n")
        );
    }
}

/// Where memory cannot hold two: never more processes than workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn swap_lets_the_old_one_leave_first_and_fails_no_call() {
    LocalSet::new()
        .run_until(async {
            let family =
                Family::with("reload = \"swap\"\nworkers = 2\n[[app]]\npath = \"life:Life\"\n")
                    .await;
            let load = Load::start(&family, 2);
            let before = pids(&family.status().await);
            for _ in 0..2 {
                load.serve(5).await;
                let reload = family.run(&["reload"]).await;
                assert_eq!(reload.stdout, "reloaded: 2 workers replaced\n", "{}", reload.stderr);
            }
            load.stop_without_failures().await;
            family.gone(&before).await;
            let (log, mut alive) = (family.log(), 0);
            for line in log.lines() {
                alive += i32::from(line.contains("event=WorkerStarted"));
                alive -= i32::from(line.contains("event=WorkerDied"));
                assert!(alive <= 2, "{line}\n{log}");
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_swap_that_fails_keeps_the_others_and_says_so() {
    let family = Family::with(&format!("reload = \"swap\"\n{TWO}")).await;
    let before = pids(&family.status().await);
    fs::write(family.path("mood"), "raise").expect("file");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(1), "{}", reload.stdout);
    let told = "reload given up, the others stay, the one whose old worker has left is tried again";
    assert!(reload.stderr.contains(told), "{}", reload.stderr);
    assert!(pids(&family.status().await).contains(&before[1]));
    family.connect().execute("life:Moody", "pid", args![]).await.expect("served by the other");
    fs::remove_file(family.path("mood")).expect("file");
    family.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn apps_come_and_go() {
    let family = Family::start().await;
    family.configure("[[app]]\npath = \"life:Stubborn\"\nworkers = 1\n");
    let reload = family.run(&["reload"]).await;
    assert_eq!(reload.code, Some(0), "{}", reload.stderr);
    family.connect().execute("life:Stubborn", "pid", args![]).await.expect("the new app");
    let gone = family.connect().execute(LIFE, "pid", args![]).await.expect_err("the old app");
    assert!(gone.to_string().contains("APP_NOT_FOUND") || gone.to_string().contains("AppNotFound"));
    assert_eq!(app(&family.status().await, "life:Stubborn").ready_workers, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn scale_and_events_on_the_command_line() {
    let family = Family::start().await;
    let mut events = family
        .command(&["events", "--json"])
        .stdout(fs::File::create(family.path("events")).expect("file"))
        .spawn()
        .expect("starts");
    let scaled = family.run(&["scale", "3"]).await;
    assert_eq!((scaled.code, scaled.stdout.as_str()), (Some(0), "scaled: from 2 to 3 workers\n"));
    family.ready().await;
    let back = family.run(&["scale", "2"]).await;
    assert_eq!(back.code, Some(0));
    let refused = family.run(&["scale", "5", "--pool", "none"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("there is no pool `none`"), "{}", refused.stderr);
    eventually(LIMIT, "the events are told", async || {
        // The watcher may have come after the first scale.
        let _ = family.run(&["scale", "3"]).await;
        let _ = family.run(&["scale", "2"]).await;
        let told = fs::read_to_string(family.path("events")).unwrap_or_default();
        let told =
            |kind: &str| told.lines().any(|line| line.contains(&format!("\"kind\":\"{kind}\"")));
        (told("scaled") && told("worker_started") && told("worker_died")).then_some(())
    })
    .await;
    events.kill().expect("a child");
    events.wait().expect("a child");
}
