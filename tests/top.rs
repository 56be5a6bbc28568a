//! `dirtyd top` at a terminal: what it shows, what keys do, and that the terminal is
//! given back, however it ends.

use std::process::Command;

use dirtyd_client::Reason;
use nix::sys::signal::Signal;
use tonic::Code;

use crate::support::{Daemon, LIMIT, eventually, failure, pty::Pty};

const APP: &str = "workers = 2\n[[app]]\npath = \"lab:Lab\"";
const SIZE: (u16, u16) = (24, 80);

fn top(daemon: &Daemon, flags: &[&str]) -> Command {
    daemon.command(&[&["top", "--interval", "100ms"], flags].concat())
}

/// Starts it, and waits for its first picture.
async fn shown(daemon: &Daemon) -> Pty {
    let pty = Pty::start(&top(daemon, &[]), SIZE);
    pty.until("the apps are shown", |text| text.contains("lab:Lab")).await;
    assert!(pty.is_taken());
    pty
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_runs_is_shown_and_q_ends_it() {
    let daemon = Daemon::start(APP).await;
    let holding = daemon.calling("hold", dirtyd_client::args!["door"]);
    daemon.seen("door.started").await;
    let mut pty = shown(&daemon).await;
    let text = pty.until("the call is shown", |text| text.contains("hold of")).await;
    for word in ["serving", "1 call", "APPS (1)", "WORKERS (2)", "EVENTS", "q quit"] {
        assert!(text.contains(word), "{word:?} in\n{text}");
    }
    daemon.touch("door");
    holding.await.expect("no panic").expect("hold");
    pty.until("the call has ended", |text| !text.contains("hold of")).await;
    pty.press("q");
    assert!(pty.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_and_the_terminal_is_as_it_was() {
    let daemon = Daemon::start(APP).await;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let pty = shown(&daemon).await;
        pty.signal(signal);
        assert_eq!(pty.ended().await.code(), Some(128 + signal as i32), "{signal}");
    }
    let pty = shown(&daemon).await;
    assert_eq!(pty.hung_up().await.code(), Some(128 + Signal::SIGHUP as i32));
    // In raw mode it is a key.
    let mut pty = shown(&daemon).await;
    pty.press("\x03");
    assert!(pty.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_cancelled_by_a_key_and_a_yes() {
    let daemon = Daemon::start(APP).await;
    let call = daemon.calling("patient", dirtyd_client::args!["p"]);
    daemon.seen("p.started").await;
    let mut pty = shown(&daemon).await;
    pty.until("the call is shown", |text| text.contains("patient of")).await;
    pty.press("\r");
    pty.until("the calls of the app", |text| text.contains("CALLS (1)")).await;
    pty.press("c");
    pty.until("a question", |text| text.contains("lab:Lab.patient? (y/N)")).await;
    pty.press("n");
    pty.until("nothing was done", |text| text.contains("nothing was done")).await;
    pty.press("cy");
    pty.until("it is told", |text| text.contains("cancelled: call")).await;
    let reason = Reason::Other("CANCELLED_BY_OPERATOR".to_owned());
    failure(call.await.expect("no panic"), Code::Cancelled, reason);
    pty.press("qq");
    assert!(pty.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_restarted_and_its_stacks_are_asked_for() {
    let daemon = Daemon::start(APP).await;
    let mut pty = shown(&daemon).await;
    pty.press("\tt");
    pty.until("stacks, or why there are none", |text| text.contains("STACKS  line 1")).await;
    pty.press("r");
    pty.until("a question", |text| text.contains("restart worker 1")).await;
    pty.press("y");
    daemon
        .until("the worker is replaced", |status| {
            status.workers.len() == 2 && status.workers.iter().all(|worker| worker.id != 1)
        })
        .await;
    pty.until("its end is told", |text| text.contains("worker 1 has ended")).await;
    pty.press("\x1b");
    pty.until("back", |text| text.contains("WORKERS (2)")).await;
    pty.press("q");
    assert!(pty.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_comes_back_is_shown_again() {
    let mut daemon = Daemon::start(APP).await;
    let mut pty = shown(&daemon).await;
    let before = format!("pid {}", daemon.status().await.arbiter.expect("an arbiter").pid);
    pty.until("its pid", |text| text.contains(&before)).await;
    daemon.signal(Signal::SIGTERM);
    daemon.ended().await;
    let text = pty.until("it is gone", |text| text.contains("NO ANSWER")).await;
    assert!(text.contains("lab:Lab"), "the last picture:\n{text}");
    daemon.restart().await;
    pty.until("it is back", |text| text.contains("serving") && !text.contains(&before)).await;
    // It asks for events again after a moment, and those before are not told.
    let mut workers = 2;
    eventually(LIMIT, "events, too", async || {
        workers = 3 - workers;
        daemon.run(&["scale", &workers.to_string()]).await;
        pty.text().contains("scaled").then_some(())
    })
    .await;
    pty.press("q");
    assert!(pty.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_z_gives_the_terminal_to_the_shell_until_it_is_continued() {
    let daemon = Daemon::start(APP).await;
    for by_key in [true, false] {
        let mut pty = shown(&daemon).await;
        match by_key {
            true => pty.press("\x1a"),
            false => pty.signal(Signal::SIGTSTP),
        }
        eventually(LIMIT, "it has stopped", async || pty.is_stopped().then_some(())).await;
        assert!(!pty.is_taken(), "the shell has the terminal");
        pty.signal(Signal::SIGCONT);
        pty.until("it is back", |text| text.contains("lab:Lab") && pty.is_taken()).await;
        pty.press("q");
        assert!(pty.ended().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fills_a_terminal_that_grows() {
    let daemon = Daemon::start(APP).await;
    let mut pty = shown(&daemon).await;
    pty.resize(40, 150);
    pty.until("it is as wide", |text| text.lines().any(|line| line.chars().count() > 120)).await;
    pty.resize(5, 20);
    pty.until("it is as narrow", |text| text.lines().all(|line| line.chars().count() <= 20)).await;
    pty.press("q");
    assert!(pty.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_cannot_show_it_is_told_what_can() {
    let daemon = Daemon::start(APP).await;
    let output = daemon.run(&["top"]).await;
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("not a terminal; `dirtyd top --once`"), "{output:?}");
    let mut dumb = top(&daemon, &[]);
    dumb.env("TERM", "dumb");
    let pty = Pty::start(&dumb, SIZE);
    pty.until("why", |text| text.contains("TERM=dumb") && text.contains("--once")).await;
    assert_eq!(pty.ended().await.code(), Some(1));
    let gone = daemon.run(&["top", "--once", "--socket", "gone", "--connect-timeout", "0s"]).await;
    assert!(gone.code == Some(1) && gone.stderr.contains("gone"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_picture_is_plain_text_of_the_width_that_was_asked_for() {
    let daemon = Daemon::start(APP).await;
    let narrow = daemon.run(&["top", "--once"]).await;
    let wide = daemon.run(&["top", "--once", "--width", "150"]).await;
    for (output, width) in [(narrow, 80), (wide, 150)] {
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        let text = output.stdout;
        assert!(text.contains("lab:Lab") && text.contains("WORKERS (2)"), "{text}");
        let widest = text.lines().map(|line| line.chars().count()).max().expect("lines");
        assert!((width - 10..=width).contains(&widest), "{widest} columns:\n{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
