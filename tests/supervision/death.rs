//! Deaths, in every order: the service comes back, and nothing is left.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use dirtyd_client::{Error, args};
use nix::sys::signal::Signal;

use crate::{
    family::{Family, LIFE, is_alive},
    innocent::Innocent,
    support::{Daemon, LIMIT, eventually, pids, python, signal},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_killed_dirty_arbiter_is_replaced_and_the_same_channel_goes_on() {
    let family = Family::start().await;
    let client = family.connect();
    let running = tokio::spawn({
        let client = client.clone();
        async move { client.execute(LIFE, "nap", args![1000]).await }
    });
    let status =
        family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
    let arbiter = family.named("dirtyd-dirty.pid").await;
    signal(arbiter, Signal::SIGKILL);
    let lost = running.await.expect("no panic");
    assert!(matches!(lost, Err(Error::Connection { .. })), "{lost:?}");
    let next = client.execute(LIFE, "pid", args![]).await.expect("the next call is served");
    assert!(!pids(&status).contains(&(next.as_int().expect("a pid") as i32)));
    family.gone(&pids(&status)).await;
    family.logged("the dirty arbiter was killed by SIGKILL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn callers_wait_while_the_dirty_arbiter_is_replaced() {
    let family = Family::start().await;
    for _ in 0..3 {
        let arbiter = family.named("dirtyd-dirty.pid").await;
        signal(arbiter, Signal::SIGKILL);
        family.connect().execute(LIFE, "pid", args![]).await.expect("a new connection waits");
        family.renamed("dirtyd-dirty.pid", arbiter).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_dirty_arbiter_drains_when_its_main_arbiter_is_killed() {
    let mut family = Family::start().await;
    let call = tokio::spawn({
        let client = family.connect();
        async move { client.execute(LIFE, "nap", args![0.5]).await }
    });
    family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
    family.signal(Signal::SIGKILL);
    family.ended().await;
    call.await.expect("no panic").expect("it is finished");
    family.extinct().await;
    family.logged("the main arbiter has exited: draining").await;
}

/// Kills everything in every order, with a worker stopped; then a fresh start
/// needs no cleaning.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn killed_in_any_order_nothing_is_left_and_a_fresh_start_works() {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let mut family = Family::start().await;
        let workers = pids(&family.status().await);
        let arbiter = family.named("dirtyd-dirty.pid").await;
        signal(workers[1], Signal::SIGSTOP);
        let kills = [vec![family.pid()], vec![arbiter], workers];
        for kill in order {
            for pid in kills[kill].iter().filter(|pid| is_alive(**pid)) {
                crate::family::signal_if_there(*pid, Signal::SIGKILL);
            }
        }
        family.ended().await;
        family.extinct().await;
        let again = restart(&family);
        serves(&family).await;
        end(again).await;
        family.extinct().await;
    }
}

/// The kernel ends the workers with their arbiter, but not what they forked: a
/// fresh start does, and proves whom it kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fresh_start_ends_what_workers_forked_and_nobody_else() {
    for single in [false, true] {
        let config = "[[app]]\npath = \"life:Life\"\n";
        let mut family =
            if single { Family::single(config).await } else { Family::with(config).await };
        let (client, mut left) = (family.connect(), Vec::new());
        for leave_group in [false, true] {
            let forked = client.execute(LIFE, "fork", args![].kwarg("leave_group", leave_group));
            left.push(forked.await.expect("served").as_int().expect("a pid") as i32);
        }
        let id = fs::read_to_string(family.path("dirtyd.id")).expect("it is named");
        let innocents = [format!("{id}0"), id.to_uppercase(), String::new()]
            .map(|id| Innocent::with("DIRTYD_INSTANCE", &id));
        let arbiters = match single {
            true => vec![family.pid()],
            false => vec![family.pid(), family.named("dirtyd-dirty.pid").await],
        };
        arbiters.iter().for_each(|pid| signal(*pid, Signal::SIGKILL));
        family.ended().await;
        family.gone(&arbiters).await;
        assert!(left.iter().all(|pid| is_alive(*pid)), "nobody is there to end them");
        family.restart().await;
        assert!(!left.iter().any(|pid| is_alive(*pid)), "single: {single}, left: {left:?}");
        assert!(innocents.iter().all(|innocent| is_alive(innocent.pid())));
        for pid in left {
            family.logged(&format!("process {pid} (`sleep`) has outlived the arbiters")).await;
        }
        serves(&family).await;
    }
}

/// A stopped process cannot see that its main arbiter is gone: the kernel wakes
/// it for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stopped_dirty_arbiter_ends_with_its_main_arbiter() {
    let mut family = Family::start().await;
    let workers = pids(&family.status().await);
    let arbiter = family.named("dirtyd-dirty.pid").await;
    for pid in [arbiter, workers[0]] {
        signal(pid, Signal::SIGSTOP);
    }
    family.signal(Signal::SIGKILL);
    family.ended().await;
    family.extinct().await;
    family.logged("the main arbiter has exited: draining").await;
}

/// It runs, but its work is stuck: a debugger holds the thread that does it all.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stuck_dirty_arbiter_ends_with_its_main_arbiter() {
    const HOLD: &str = "\
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
thread, seize, interrupt, any_thread = int(sys.argv[1]), 0x4206, 0x4207, 0x40000000
for request in (seize, interrupt):
    if libc.ptrace(request, thread, None, None):
        print('refused: ' + os.strerror(ctypes.get_errno()), flush=True)
os.waitpid(thread, any_thread)
print('held', flush=True)
time.sleep(1000)";
    let mut family =
        Family::with("graceful_timeout = \"100ms\"\n[[app]]\npath = \"life:Life\"\n").await;
    let arbiter = family.named("dirtyd-dirty.pid").await;
    let mut debugger = Command::new(python())
        .args(["-c", HOLD, &arbiter.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    let mut said = String::new();
    let stdout = debugger.stdout.take().expect("stdout");
    BufReader::new(stdout).read_line(&mut said).expect("it says something");
    if said == "held\n" {
        family.signal(Signal::SIGKILL);
        family.ended().await;
        family.extinct().await;
    } else {
        eprintln!("not tested: {said}");
    }
    debugger.kill().expect("a child");
    debugger.wait().expect("a child");
}

/// The hardest orphan: its main arbiter is gone, itself it is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_fresh_start_ends_a_stopped_orphan_and_its_workers() {
    let mut family =
        Family::with("workers = 2\ngraceful_timeout = \"20s\"\n[[app]]\npath = \"life:Life\"\n")
            .await;
    let workers = pids(&family.status().await);
    let arbiter = family.named("dirtyd-dirty.pid").await;
    let client = family.connect();
    let call = tokio::spawn(async move { client.execute(LIFE, "nap", args![1000]).await });
    family.until("it runs", |status| status.workers.iter().any(|w| w.in_flight > 0)).await;
    family.signal(Signal::SIGKILL);
    family.ended().await;
    family.logged("the main arbiter has exited: draining").await;
    signal(arbiter, Signal::SIGSTOP);
    family.configure("workers = 2\ngraceful_timeout = \"300ms\"\n[[app]]\npath = \"life:Life\"\n");
    let again = restart(&family);
    family.renamed("dirtyd-dirty.pid", arbiter).await;
    family.gone(&[arbiter]).await;
    family.gone(&workers).await;
    call.await.expect("no panic").expect_err("it was killed");
    serves(&family).await;
    let log = fs::read_to_string(family.path("log.again")).expect("log");
    assert!(log.contains("has lost its main arbiter; it gets TERM"), "{log}");
    assert!(log.contains(&format!("dirty arbiter {arbiter} did not exit in time")), "{log}");
    end(again).await;
}

/// Its worker takes no signal, and would not close if it could.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_orphan_with_a_stuck_worker_is_ended() {
    let mut family =
        Family::with("graceful_timeout = \"100ms\"\n[[app]]\npath = \"life:Stubborn\"\n").await;
    let arbiter = family.named("dirtyd-dirty.pid").await;
    let workers = pids(&family.status().await);
    signal(workers[0], Signal::SIGSTOP);
    family.signal(Signal::SIGKILL);
    family.ended().await;
    let again = restart(&family);
    family.gone(&[arbiter, workers[0]]).await;
    eventually(LIMIT, "it serves", async || {
        family.connect().execute("life:Stubborn", "pid", args![]).await.ok()
    })
    .await;
    end(again).await;
}

/// Starts it once more in the same directory.
fn restart(family: &Daemon) -> std::process::Child {
    let log = fs::File::create(family.path("log.again")).expect("log");
    family.command(&["serve", "--config", "dirtyd.toml"]).stderr(log).spawn().expect("starts")
}

async fn serves(family: &Family) {
    eventually(LIMIT, "it serves", async || {
        family.connect().execute(LIFE, "pid", args![]).await.ok()
    })
    .await;
}

async fn end(mut child: std::process::Child) {
    signal(child.id() as i32, Signal::SIGTERM);
    eventually(LIMIT, "it ends", async || child.try_wait().expect("a child")).await;
}
