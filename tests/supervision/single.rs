//! `serve --single`: a dirty arbiter alone, as in a container, where it is the
//! parent of whatever loses its own.

use std::{fs, path::Path};

use dirtyd_client::{args, proto::v1::StatusResponse};
use nix::sys::signal::Signal;

use crate::{
    family::{Family, LIFE, is_alive},
    support::{LIMIT, eventually, example, pids, process::marked, signal},
};

const CONFIG: &str = "[[app]]\npath = \"life:Life\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_serves_without_a_main_arbiter_until_term() {
    let mut family = Family::single(CONFIG).await;
    let worker = pids(&family.status().await)[0];
    assert_eq!(parent(worker), Some(family.pid()), "no process stands between");
    family.signal(Signal::SIGTERM);
    assert!(family.ended().await.success());
    assert!(!family.socket().exists());
}

/// Two processes end at the same time: the arbiter reaps what it adopted, and
/// still learns how its own worker ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_it_adopted_is_reaped_and_no_status_of_a_worker_is_lost() {
    let family = Family::single(&format!("max_restarts = 1000\n{CONFIG}")).await;
    for _ in 0..10 {
        let orphan = orphan(&family).await;
        let worker = pids(&family.status().await)[0];
        eventually(LIMIT, "it is adopted", async || {
            (parent(orphan) == Some(family.pid())).then_some(())
        })
        .await;
        signal(orphan, Signal::SIGTERM);
        signal(worker, Signal::SIGKILL);
        reaped(&[orphan, worker]).await;
        family.logged(&format!("(pid {worker}) was killed by SIGKILL")).await;
        family.connect().execute(LIFE, "pid", args![]).await.expect("the next one serves");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_adopted_process_is_reaped_while_its_worker_lives_and_spared_before() {
    let family = Family::single(&format!("workers = 2\n{CONFIG}")).await;
    let (first, second) = (orphan(&family).await, orphan(&family).await);
    signal(first, Signal::SIGTERM);
    reaped(&[first]).await;
    assert!(is_alive(second), "its worker is at work");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_workers_forked_ends_with_them() {
    for end in [Signal::SIGTERM, Signal::SIGQUIT] {
        let mut family = Family::single(CONFIG).await;
        let worker = pids(&family.status().await)[0];
        let first = fork(&family).await;
        signal(worker, Signal::SIGKILL);
        reaped(&[worker, first]).await;
        family.logged(&format!("process {first} (`sleep`) was left behind")).await;
        let second = fork(&family).await;
        family.signal(end);
        family.ended().await;
        assert!(!is_alive(second), "{end}: nothing outlives the arbiter");
    }
}

/// A hook starts just while the arbiter looks for what a worker has left.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hook_is_nobody_that_was_left_behind() {
    const DEATHS: usize = 20;
    // It takes a moment, as a hook does that tells somebody.
    let hook = r#"["sh", "-c", "sleep 0.1; echo ran >> hooks"]"#;
    let family = Family::single(&format!(
        "max_restarts = 1000\n{CONFIG}[[pool]]\nname = \"rust\"\ncommand = [{:?}]\napp = [{{ path = \"Mandelbrot\" }}]\n[hooks]\ndirty_worker_exit = {hook}\n",
        example("rust-worker")
    ))
    .await;
    let mut last = 0;
    for _ in 0..DEATHS {
        let next = |status: &StatusResponse| {
            let workers = status.workers.iter().filter(|worker| worker.pool == "rust");
            workers.map(|worker| worker.pid).find(|pid| *pid != last)
        };
        let status = family.until("the next one lives", |status| next(status).is_some()).await;
        last = next(&status).expect("it lives");
        signal(last, Signal::SIGKILL);
    }
    let ran = || fs::read_to_string(family.path("hooks")).unwrap_or_default().lines().count();
    eventually(LIMIT, "every hook ran to its end", async || (ran() == DEATHS).then_some(())).await;
}

/// Nobody is there to end it afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hook_that_hangs_at_the_end_does_not_outlive_the_arbiter() {
    let hooks = "[hooks]\ntimeout = \"600s\"\ndirty_worker_exit = [\"sleep\", \"1000\"]\n";
    let mut family =
        Family::single(&format!("graceful_timeout = \"100ms\"\n{CONFIG}{hooks}")).await;
    family.signal(Signal::SIGTERM);
    assert!(family.ended().await.success());
    assert_eq!(family.processes(), [0; 0]);
    family.logged("(`sleep`) has outlived the arbiters of this instance; killing it").await;
}

/// What ran in its process before it was `dirtyd` may have started others.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_children_of_who_became_it_are_left_alone() {
    let family = Family::start().await;
    let dir = tempfile::tempdir().expect("directory");
    let script = "setsid sleep 1000 > /dev/null 2>&1 & exec \"$0\" \"$@\"";
    let mut child = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_dirtyd"), "serve", "--single"])
        .args(["--config", "dirtyd.toml", "--proc-name", "entry"])
        .current_dir(family.path("."))
        .env("DIRTYD_SOCKET", dir.path().join("s.sock"))
        .env("DIRTYD_PYTHON", crate::support::python())
        .stderr(fs::File::create(dir.path().join("log")).expect("log"))
        .spawn()
        .expect("sh starts");
    let client = dirtyd_client::Client::connect(dir.path().join("s.sock"));
    let mark = format!("DIRTYD_SOCKET={}", dir.path().join("s.sock").display());
    eventually(LIMIT, "it serves", async || client.execute(LIFE, "pid", args![]).await.ok()).await;
    let name = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let sidecar = marked(&mark).into_iter().find(|pid| name(pid) == "sleep\n").expect("it runs");
    let worker = client.execute(LIFE, "pid", args![]).await.expect("served").as_int();
    signal(worker.expect("a pid") as i32, Signal::SIGKILL);
    eventually(LIMIT, "it serves", async || client.execute(LIFE, "pid", args![]).await.ok()).await;
    signal(child.id() as i32, Signal::SIGTERM);
    eventually(LIMIT, "it ends", async || child.try_wait().expect("a child")).await;
    assert!(is_alive(sidecar));
    signal(sidecar, Signal::SIGKILL);
}

async fn orphan(family: &Family) -> i32 {
    family.call("orphan").await.expect("served").as_int().expect("a pid") as i32
}

async fn fork(family: &Family) -> i32 {
    let args = args![].kwarg("leave_group", true);
    let pid = family.connect().execute(LIFE, "fork", args).await.expect("served");
    pid.as_int().expect("a pid") as i32
}

/// Waits until nothing is left of these processes, not even zombies.
async fn reaped(pids: &[i32]) {
    eventually(LIMIT, &format!("{pids:?} are reaped"), async || {
        let left = |pid: &&i32| Path::new("/proc").join(pid.to_string()).exists();
        pids.iter().find(left).is_none().then_some(())
    })
    .await;
}

fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
