//! A caller that leaves ends its work, and nothing else.

use std::{io::Read as _, process::Stdio};

use dirtyd_client::{Value, args};

use crate::support::{Daemon, app, pids};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_mid_stream_closes_the_generator() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let before = pids(&daemon.status().await);
    for action in ["ticks", "ticks_async"] {
        let mut stream = client.stream("lab:Lab", action, args![action]).await.expect("stream");
        stream.next().await.expect("a chunk").expect("no error");
        drop(stream);
        daemon.seen(&format!("{action}.closed")).await;
    }
    let idle = daemon.until("the slot is free", |status| status.workers[0].in_flight == 0).await;
    assert_eq!(pids(&idle), before, "the same worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_cancels_like_a_caller_that_leaves() {
    let daemon = Daemon::start(APP).await;
    let socket = daemon.socket();
    let socket = socket.to_str().expect("UTF-8");
    let mut caller = daemon
        .command(&["stream", "--socket", socket, "lab:Lab", "ticks", "\"t\""])
        .stdout(Stdio::piped())
        .spawn()
        .expect("dirtyd stream");
    // A generator that has not begun has nothing to close.
    let mut chunk = [0];
    caller.stdout.take().expect("piped").read_exact(&mut chunk).expect("a chunk");
    caller.kill().expect("kill");
    caller.wait().expect("wait");
    daemon.seen("t.closed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_call_that_is_cancelled_never_runs() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let holding = daemon.calling("hold", args!["door", 7]);
    daemon.seen("door.started").await;
    let queued = daemon.calling("touch", args!["ran"]);
    daemon.until("it waits", |status| app(status, "lab:Lab").queued == 1).await;
    queued.abort();
    daemon.until("it left", |status| app(status, "lab:Lab").queued == 0).await;
    daemon.touch("door");
    assert_eq!(holding.await.expect("no panic").expect("hold"), Value::from(7));
    client.execute("lab:Lab", "echo", args![]).await.expect("a call behind it");
    assert!(!daemon.path("ran").exists(), "it never reached the worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn cooperative_actions_hear_that_their_caller_left() {
    let daemon = Daemon::start(APP).await;
    // An async action is cancelled, a sync one may ask current_call().
    for action in ["nap", "patient"] {
        let call = daemon.calling(action, args![action]);
        daemon.seen(&format!("{action}.started")).await;
        call.abort();
        daemon.seen(&format!("{action}.cancelled")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_caller_keeps_its_slot_until_it_ends() {
    let daemon = Daemon::start(APP).await;
    let abandoned = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    abandoned.abort();
    let next = daemon.calling("echo", args!["next"]);
    let busy = daemon.until("the next waits", |status| app(status, "lab:Lab").queued == 1).await;
    assert_eq!(busy.workers[0].in_flight, 1);
    daemon.touch("door");
    assert_eq!(next.await.expect("no panic").expect("echo"), Value::from("next"));
    let late = daemon.until("its answer was dropped", |status| {
        status.arbiter.as_ref().is_some_and(|arbiter| arbiter.late_frames == 1)
    });
    late.await;
}
