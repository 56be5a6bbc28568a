//! `threads`: how many calls one worker runs at once.

use dirtyd_client::{Value, args};

use crate::support::{Daemon, app, pids};

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_runs_as_many_calls_at_once_as_it_has_threads() {
    let daemon = Daemon::start("threads = 3\n[[app]]\npath = \"lab:Lab\"").await;
    let calls: Vec<_> =
        ["a", "b", "c"].map(|name| daemon.calling("hold", args![name, name])).into_iter().collect();
    for name in ["a", "b", "c"] {
        daemon.seen(&format!("{name}.started")).await;
    }
    let fourth = daemon.calling("echo", args!["d"]);
    let status = daemon.until("the fourth waits", |s| app(s, "lab:Lab").queued == 1).await;
    assert_eq!((pids(&status).len(), status.workers[0].in_flight), (1, 3));
    // The last one to end of three that run at once is the first that came.
    daemon.touch("c");
    assert_eq!(fourth.await.expect("no panic").expect("echo"), Value::from("d"));
    daemon.touch("b");
    daemon.touch("a");
    for (call, name) in calls.into_iter().zip(["a", "b", "c"]) {
        assert_eq!(call.await.expect("no panic").expect("hold"), Value::from(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_in_one_thread_leaves_the_others_alone() {
    let config = "threads = 2\nkill_grace = \"20s\"\n[[app]]\npath = \"lab:Lab\"\n[[app]]\npath = \"lab:Other\"\ntimeout = \"500ms\"";
    let daemon = Daemon::start(config).await;
    let held = daemon.calling("hold", args!["door", 1]);
    daemon.seen("door.started").await;
    // A blocking call is not interrupted in a thread; one that asks is.
    let outcome = daemon.client().execute("lab:Other", "patient", args!["p"]).await;
    assert!(outcome.is_err());
    daemon.seen("p.cancelled").await;
    daemon.touch("door");
    assert_eq!(held.await.expect("no panic").expect("hold"), Value::from(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn async_actions_share_one_worker() {
    let daemon = Daemon::start("threads = 4\n[[app]]\npath = \"lab:Lab\"").await;
    let calls: Vec<_> = ["a", "b", "c", "d"].map(|name| daemon.calling("nap", args![name])).into();
    for name in ["a", "b", "c", "d"] {
        daemon.seen(&format!("{name}.started")).await;
    }
    for call in &calls {
        call.abort();
    }
    for name in ["a", "b", "c", "d"] {
        daemon.seen(&format!("{name}.cancelled")).await;
    }
    daemon.until("all slots are free", |status| status.workers[0].in_flight == 0).await;
}
