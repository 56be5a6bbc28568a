//! Hooks: in order, with the facts, bounded.

use std::fs;

use dirtyd_client::args;
use nix::sys::signal::Signal;

use crate::{family::Family, support::pids};

const NOTE: &str = r#"["sh", "-c", "read facts; echo $DIRTYD_HOOK_NAME $DIRTYD_HOOK_WORKER_PID >> hooks; echo \"$facts\" >> facts"]"#;

fn hooks(command: &str) -> String {
    format!(
        "[[app]]\npath = \"life:Life\"\n[hooks]\ntimeout = \"300ms\"\non_dirty_starting = {command}\ndirty_post_fork = {command}\ndirty_worker_exit = {command}\ndirty_worker_init = \"life:note_worker_init\"\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn they_run_in_the_order_of_life_with_the_facts() {
    let mut family = Family::with(&hooks(NOTE)).await;
    let worker = pids(&family.status().await)[0];
    let arbiter = family.named("dirtyd-dirty.pid").await;
    family.signal(Signal::SIGTERM);
    assert!(family.ended().await.success());
    let ran = fs::read_to_string(family.path("hooks")).expect("they ran");
    let ran: Vec<&str> = ran.lines().map(str::trim).collect();
    // The worker boots beside the hook of its fork.
    let at = |line: &str| {
        ran.iter().position(|ran| *ran == line).unwrap_or_else(|| panic!("{line}: {ran:?}"))
    };
    let post_fork = at(&format!("dirty_post_fork {worker}"));
    let init = at(&format!("dirty_worker_init {worker}"));
    let exit = at(&format!("dirty_worker_exit {worker}"));
    assert_eq!(at("on_dirty_starting"), 0);
    assert!(post_fork < exit && init < exit && ran.len() == 4, "{ran:?}");

    let facts = fs::read_to_string(family.path("facts")).expect("they were told");
    let facts: Vec<serde_json::Value> =
        facts.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(facts[0]["arbiter"]["pid"], arbiter);
    assert_eq!(facts[0]["worker"], serde_json::Value::Null);
    assert_eq!(facts[2]["hook"], "dirty_worker_exit");
    assert_eq!(facts[2]["worker"]["pid"], worker);
    assert!(
        facts[2]["worker"]["message"].as_str().is_some_and(|m| m.contains("exited with code 0"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn failing_and_hanging_hooks_are_logged_and_change_nothing() {
    for (command, told) in [
        (
            r#"["sh", "-c", "echo the reason >&2; exit 3"]"#,
            "exited with code 3; nothing else is affected",
        ),
        (r#"["sleep", "1000"]"#, "did not finish within 300ms and was killed"),
        (r#"["/no/such/hook"]"#, "cannot start `/no/such/hook`"),
    ] {
        let family = Family::with(&hooks(command)).await;
        family.connect().execute("life:Life", "pid", args![]).await.expect("served all the same");
        family.logged("hook on_dirty_starting").await;
        family.logged(told).await;
        family.logged("hook dirty_post_fork").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_hook_that_raises_is_logged_and_one_that_hangs_is_bounded() {
    let config = |hook| {
        format!(
            "boot_timeout = \"4s\"\n[[app]]\npath = \"life:Life\"\n[hooks]\ndirty_worker_init = \"life:{hook}\"\n"
        )
    };
    let family = Family::with(&config("raise_worker_init")).await;
    family.logged("the hook dirty_worker_init (life:raise_worker_init) failed").await;
    family.call("pid").await.expect("served all the same");

    let family = Family::launch(&config("hang_worker_init"), &[]).await;
    family.logged("killing worker 1").await;
    let told = "the hook dirty_worker_init (`life:hang_worker_init`), or importing app `life:Life` after it, did not finish within boot_timeout";
    assert!(family.log().contains(told), "{}", family.log());
}
