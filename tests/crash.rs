//! A worker that dies takes with it only the calls that it had started.

use std::collections::HashSet;

use dirtyd_client::{CallFailure, Reason, Value, args};
use nix::sys::signal::Signal;
use tonic::Code;

use crate::support::{Daemon, failure, pids, signal, together};

const CALLS: i64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_under_200_calls_fails_only_what_the_worker_had_started() {
    let config = "workers = 4\nthreads = 2\n[[app]]\npath = \"lab:Lab\"";
    let daemon = Daemon::start(config).await;
    let victim = pids(&daemon.status().await)[1];
    let calls = (0..CALLS).map(|number| {
        let client = daemon.client();
        // Each answer names its own question.
        async move { (number, client.execute("lab:Lab", "sleep", args![0.02, number]).await) }
    });
    let calls = together(calls);
    daemon
        .until("the victim is busy and calls wait", |status| {
            let busy = status.workers.iter().any(|w| w.pid == victim && w.in_flight == 2);
            busy && status.apps[0].queued > 10
        })
        .await;
    signal(victim, Signal::SIGKILL);

    let (mut answered, mut lost) = (0, Vec::new());
    for (number, outcome) in calls.await.expect("no panic") {
        match outcome {
            Ok(value) => {
                assert_eq!(value, Value::from(number), "answers never cross");
                answered += 1;
            }
            error => lost.push(failure(error, Code::Aborted, Reason::WorkerCrashed)),
        }
    }
    assert!((1..=2).contains(&lost.len()), "two slots: {lost:?}");
    assert_eq!(answered + lost.len() as i64, CALLS);
    let fact = |lost: &CallFailure, key: &str| lost.facts[key].clone();
    for lost in &lost {
        assert_eq!(fact(lost, "signal"), "9");
        assert_eq!(fact(lost, "worker_pid"), victim.to_string());
    }
    let whole = daemon.until("it is replaced", |status| {
        status.apps[0].ready_workers == 4 && !pids(status).contains(&victim)
    });
    assert_eq!(HashSet::<i32>::from_iter(pids(&whole.await)).len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_tells_its_code_and_a_stream_ends_with_it_too() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let client = daemon.client();
    let named = client.clone().with_metadata("x-request-id", "order-4711");
    let outcome = named.execute("lab:Lab", "die", args![]).await;
    let died = failure(outcome, Code::Aborted, Reason::WorkerCrashed);
    assert_eq!(died.facts["exit_code"], "7");
    daemon.logged("died while running lab:Lab.die (request order-4711)").await;
    let mut stream = client.stream("lab:Lab", "ticks", args!["t"]).await.expect("stream");
    let pid = stream.next().await.expect("chunk").expect("no error").as_int().expect("pid");
    signal(pid as i32, Signal::SIGKILL);
    let ended = loop {
        if let Err(error) = stream.next().await.expect("an outcome") {
            break Err::<(), _>(error);
        }
    };
    failure(ended, Code::Aborted, Reason::WorkerCrashed);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_the_queue_wait_for_the_replacement() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let client = daemon.client();
    let started = daemon.calling("hold", args!["never"]);
    daemon.seen("never.started").await;
    let waiting = (0..20).map(|number| {
        let client = client.clone();
        async move { client.execute("lab:Lab", "echo", args![number]).await.ok()?.as_int() }
    });
    let waiting = together(waiting);
    let status = daemon.until("they wait", |status| status.apps[0].queued == 20).await;
    signal(status.workers[0].pid, Signal::SIGKILL);
    failure(started.await.expect("no panic"), Code::Aborted, Reason::WorkerCrashed);
    let answers: HashSet<_> = waiting.await.expect("no panic").into_iter().flatten().collect();
    assert_eq!(answers.len(), 20, "{answers:?}");
}
