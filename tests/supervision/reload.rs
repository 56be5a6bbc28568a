//! Reload: what is bad changes nothing, what is new takes effect.

use std::fs;

use dirtyd::client::{Reason, args};
use nix::sys::signal::Signal;
use tonic::Code;

use crate::{
    family::{Family, LIFE},
    support::{LIMIT, app, eventually, failure, pids, signal},
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

/// What an app has waiting is told that it is gone, also what was on its way to
/// a worker that dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_on_its_way_to_a_worker_that_dies_after_its_app_was_taken_out_has_an_answer() {
    let mut family = Family::start().await;
    let old = pids(&family.status().await);
    for pid in &old {
        signal(*pid, Signal::SIGSTOP);
    }
    let call = tokio::spawn({
        let client = family.connect();
        let large = vec![0u8; 16 << 20];
        async move { client.execute(LIFE, "echo", args![large.as_slice()]).await }
    });
    family.until("it is given to a worker", |s| s.apps[0].running == 1).await;
    family.configure("workers = 2\n[[app]]\npath = \"life:Stubborn\"\nworkers = 1\n");
    assert_eq!(family.run(&["reload"]).await.code, Some(0));
    for pid in &old {
        signal(*pid, Signal::SIGKILL);
    }
    failure(call.await.expect("no panic"), Code::NotFound, Reason::AppNotFound);
    let settled = |s: &dirtyd::proto::v1::StatusResponse| {
        s.arbiter.as_ref().is_some_and(|arbiter| arbiter.calls == 0)
    };
    family.until("no call is left", settled).await;
    family.signal(Signal::SIGQUIT);
    family.ended().await;
}
