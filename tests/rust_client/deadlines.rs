//! The caller's own deadline: the arbiter says what became of the call, also at
//! the last moment, and an arbiter that says nothing holds no caller for long.

use std::{future::Future, time::Duration};

use dirtyd_client::{Client, Error, Reason, args};
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use tonic::Code;

use crate::support::{Daemon, failure, python};

const CALLS: usize = 20;
const HURRY: Duration = Duration::from_secs(1);

/// `lab:Lab` runs all calls at once, `lab:Other` one.
fn config() -> String {
    format!(
        "threads = {CALLS}\n[[app]]\npath = \"lab:Lab\"\n[[pool]]\nname = \"narrow\"\n\
         python = {:?}\nthreads = 1\napp = [{{ path = \"lab:Other\" }}]",
        python()
    )
}

/// Each of many calls at once, unary and streaming, fails for this reason.
async fn all_fail(client: &Client, app: &str, action: &str, reason: Reason) {
    let name = |number| format!("{action}-{number}");
    let unary = join_all((0..CALLS).map(|n| client.execute(app, action, args![name(n)])));
    for outcome in unary.await {
        failure(outcome, Code::DeadlineExceeded, reason.clone());
    }
    let streams = join_all((0..CALLS).map(|n| client.stream(app, action, args![name(n)])));
    for outcome in streams.await {
        failure(outcome, Code::DeadlineExceeded, reason.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_survives_the_callers_own_deadline() {
    let daemon = Daemon::start(&config()).await;
    let hurried = daemon.client().with_timeout(HURRY);
    all_fail(&hurried, "lab:Lab", "nap", Reason::ExecutionTimeout).await;

    let client = daemon.client();
    let holding =
        tokio::spawn(async move { client.execute("lab:Other", "hold", args!["door"]).await });
    daemon.seen("door.started").await;
    all_fail(&hurried, "lab:Other", "echo", Reason::QueueTimeout).await;
    daemon.touch("door");
    holding.await.expect("no panic").expect("hold");
}

/// What a call that heard nothing ends with.
async fn unanswered<T: std::fmt::Debug>(call: impl Future<Output = Result<T, Error>>) {
    let outcome = call.await;
    assert!(matches!(outcome, Err(Error::DeadlineExceeded)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_does_not_answer_holds_no_caller() {
    // One process, so that a signal stops all of it.
    let daemon = Daemon::begin_with(&["--single"], &config(), &[]);
    let (connected, unconnected) = (daemon.client(), daemon.connect());
    let patient = connected.clone().with_retries(1000);
    patient.execute("lab:Lab", "echo", args![]).await.expect("echo");
    let mut begun = connected.clone().with_timeout(HURRY);
    let mut ticks = begun.stream("lab:Lab", "ticks", args!["t"]).await.expect("a stream");
    daemon.signal(Signal::SIGSTOP);
    for client in [connected, unconnected] {
        begun = client.with_timeout(HURRY);
        unanswered(begun.execute("lab:Lab", "echo", args![])).await;
        unanswered(begun.stream("lab:Lab", "count", args![1])).await;
    }
    let ended = loop {
        match ticks.next().await.expect("an error at the end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(ended, Error::DeadlineExceeded), "{ended:?}");
    daemon.signal(Signal::SIGCONT);
}
