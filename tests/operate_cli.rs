//! The command line for operators: calls, cancel, stacks, restart.

use std::{fs, os::unix::fs::PermissionsExt as _};

use dirtyd_client::{Reason, args};
use serde_json::{Value as Json, json};
use tonic::Code;

use crate::support::{Daemon, Output, failure};

const APP: &str = "kill_grace = 1\n[[app]]\npath = \"lab:Lab\"";

async fn listed(daemon: &Daemon) -> Vec<Json> {
    let output = daemon.run(&["calls", "--json"]).await;
    let json: Json = serde_json::from_str(&output.stdout).expect("JSON");
    json["calls"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_listed_with_where_they_are_and_cancelled_by_their_number() {
    let daemon = Daemon::start(APP).await;
    let runs = daemon.calling("patient", args!["p"]);
    daemon.seen("p.started").await;
    let waits = daemon.calling("echo", args![1]);
    daemon.until("one waits", |status| status.apps[0].queued == 1).await;

    let table = daemon.run(&["calls"]).await;
    let lines: Vec<_> = table.stdout.lines().collect();
    assert_eq!((table.code, lines.len()), (Some(0), 3), "{table:?}");
    assert!(lines[1].contains("lab:Lab.patient") && lines[1].contains("running"), "{table:?}");
    assert!(lines[2].contains("queued") && lines[2].contains("a free slot"), "{table:?}");
    let one = daemon.run(&["calls", "--limit", "1"]).await;
    assert!(one.stdout.contains("1 more call; these are the oldest"), "{one:?}");
    let none = daemon.run(&["calls", "--app", "lab:Nobody"]).await;
    assert_eq!(none.stdout.lines().count(), 1, "{none:?}");

    let calls = listed(&daemon).await;
    assert_eq!((&calls[0]["state"], &calls[1]["wait_reason"]), (&json!("running"), &json!("slot")));
    let ids: Vec<_> = calls.iter().map(|call| call["id"].to_string()).collect();
    let cancelled = daemon.run(&["cancel", &ids[1], "7", &ids[0]]).await;
    assert_eq!(cancelled.code, Some(1), "one of them was none: {cancelled:?}");
    let said = format!(
        "cancelled: call {}, which had not started\ncancelled: call {}, which was running; its worker is told to stop\n",
        ids[1], ids[0]
    );
    assert_eq!(cancelled.stdout, said);
    assert!(cancelled.stderr.contains("CALL_NOT_FOUND") && cancelled.stderr.contains("7"));
    assert!(cancelled.stderr.contains("`dirtyd calls`"), "{cancelled:?}");
    for call in [runs, waits] {
        let reason = Reason::Other("CANCELLED_BY_OPERATOR".to_owned());
        failure(call.await.expect("no panic"), Code::Cancelled, reason);
    }
    daemon.seen("p.cancelled").await;
    let name = daemon.run(&["cancel", "my-request"]).await;
    assert!(name.code == Some(2) && name.stderr.contains("`dirtyd calls` lists them"), "{name:?}");
}

/// What a command says of a worker that there is not.
fn assert_lists_workers(output: &Output, pid: i32) {
    assert_eq!(output.code, Some(1), "{output:?}");
    let there_are = format!("there are worker 1 (pid {pid})");
    assert!(output.stderr.contains(&there_are), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_restarted_by_its_number_or_its_pid() {
    let daemon = Daemon::start(APP).await;
    let pid = daemon.status().await.workers[0].pid;
    assert_lists_workers(&daemon.run(&["restart", "4194999"]).await, pid);
    let done = daemon.run(&["restart", &pid.to_string(), "--wait"]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let begun = format!("restarting: worker 1 (pid {pid}) of pool `default` leaves once another");
    assert!(done.stdout.starts_with(&begun), "{done:?}");
    assert!(done.stdout.contains("worker 1 ("), "its end is told: {done:?}");
    let workers = daemon.status().await.workers;
    assert!(workers.len() == 1 && workers[0].pid != pid, "{workers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_replacement_is_no_good_stays_and_wait_says_so() {
    let config = "[[app]]\npath = \"fickle:App\"";
    let fickle = "import os\nfrom dirtyd import DirtyApp\n\nclass App(DirtyApp):\n    def init(self):\n        if os.path.exists('bad'):\n            raise RuntimeError('no weights')\n\n    def pid(self):\n        return os.getpid()\n";
    let daemon = Daemon::launch_with(config, &[("fickle.py", fickle)]).await;
    daemon.ready().await;
    daemon.touch("bad");
    let done = daemon.run(&["restart", "1", "--wait"]).await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("worker 1 was not replaced and keeps serving"), "{done:?}");
    daemon.client().execute("fickle:App", "pid", args![]).await.expect("it serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn stacks_are_of_the_worker_that_is_named_or_of_those_that_are_busy() {
    let daemon = Daemon::start(&format!("workers = 2\n{APP}")).await;
    let idle = daemon.run(&["stacks"]).await;
    assert_eq!(idle.code, Some(0));
    assert!(
        idle.stdout
            .starts_with("no worker has a call; name one, or all by --all: there are worker 1"),
        "{idle:?}"
    );
    let holding = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    let workers = daemon.status().await.workers;
    let busy = workers.iter().find(|worker| worker.in_flight > 0).expect("one runs it");
    let of_busy =
        format!("worker {} (pid {}) of pool `default`, ready, 1/1 calls", busy.id, busy.pid);
    for flags in [&["stacks"][..], &["stacks", &busy.pid.to_string()]] {
        let output = daemon.run(flags).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.starts_with(&of_busy), "{output:?}");
        assert_eq!(output.stdout.matches(" of pool `").count(), 1, "{output:?}");
        let lines: Vec<_> = output.stdout.lines().collect();
        let at = |word: &str| lines.iter().position(|line| line.contains(word));
        let call = at(", lab:Lab.hold, running for ").expect("the call");
        let (outer, inner) = (at("in Lab.hold").expect("it"), at("in appears").expect("it"));
        assert!(call < outer && outer < inner, "the innermost is last: {}", output.stdout);
        assert!(lines[outer].contains("lab.py:") && lines[outer + 1].contains("appears(name)"));
    }
    let all = daemon.run(&["stacks", "--all"]).await;
    assert_eq!(all.stdout.matches(" of pool `").count(), 2, "{all:?}");
    let json = daemon.run(&["stacks", "--all", "--json"]).await;
    let json: Json = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["workers"][1]["worker_pid"], json!(workers[1].pid));
    assert_lists_workers(&daemon.run(&["stacks", "4194999"]).await, workers[0].pid);
    daemon.touch("door");
    holding.await.expect("no panic").expect("hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn native_stacks_are_those_of_py_spy_if_it_is_there() {
    let daemon = Daemon::start(APP).await;
    let pid = daemon.status().await.workers[0].pid;
    let with_path = |script: &str| {
        let folder = daemon.path("bin");
        fs::create_dir_all(&folder).expect("a folder");
        if !script.is_empty() {
            let program = folder.join("py-spy");
            fs::write(&program, script).expect("a script");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a script");
        }
        let mut command = daemon.command(&["stacks", "--native"]);
        let output: Output = command.env("PATH", &folder).output().expect("dirtyd runs").into();
        output
    };
    let missing = with_path("");
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("pip install py-spy"), "{missing:?}");
    let seen = with_path("#!/bin/sh\nprintf '%s ' \"$@\"\nprintf '\\033[2J\\n'\n");
    assert_eq!(seen.code, Some(0), "{seen:?}");
    let expected = format!("worker 1 (pid {pid})\ndump --native --pid {pid} \\x1b[2J\n");
    assert_eq!(seen.stdout, expected);
    let denied = with_path("#!/bin/sh\necho 'Error: Permission Denied: try again' >&2\nexit 1\n");
    assert_eq!(denied.code, Some(1));
    for word in [&format!("worker 1 (pid {pid})"), "Permission Denied", "as root"] {
        assert!(denied.stderr.contains(word), "{word:?} in {denied:?}");
    }
}
