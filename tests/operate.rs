//! What operators see of calls and workers, and what they do to them.

use dirtyd_client::{
    Reason, Value, args,
    proto::v1::{
        CallState, CallStatus, CancelCallRequest, GetStacksRequest, ListCallsRequest,
        RestartWorkerRequest, WaitReason,
    },
};
use tonic::Code;

use crate::support::{Daemon, app, eventually, failure};

const APP: &str = "kill_grace = 1\n[[app]]\npath = \"lab:Lab\"";

async fn calls(daemon: &Daemon) -> Vec<CallStatus> {
    let listed = daemon.admin().list_calls(ListCallsRequest::default()).await;
    listed.expect("the daemon answers").into_inner().calls
}

/// Waits until the calls are as wanted.
async fn until(
    daemon: &Daemon,
    what: &str,
    wanted: impl Fn(&[CallStatus]) -> bool,
) -> Vec<CallStatus> {
    let probe = async || Some(calls(daemon).await).filter(|calls| wanted(calls));
    eventually(std::time::Duration::from_secs(20), what, probe).await
}

async fn cancel(daemon: &Daemon, call: &CallStatus) -> CallState {
    let request = CancelCallRequest { call_id: call.id };
    daemon.admin().cancel_call(request).await.expect("it is there").into_inner().state()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_listed_oldest_first_with_where_they_are_and_why_they_wait() {
    let daemon = Daemon::start(APP).await;
    assert_eq!(calls(&daemon).await, []);
    let client = daemon.client().with_metadata("x-request-id", "req-7");
    let holding =
        tokio::spawn(async move { client.execute("lab:Lab", "hold", args!["door", 7]).await });
    daemon.seen("door.started").await;
    let waiting = daemon.calling("echo", args!["next"]);
    let listed = until(&daemon, "both are there", |calls| calls.len() == 2).await;
    let [runs, waits] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((runs.state(), waits.state()), (CallState::Running, CallState::Queued));
    assert_eq!((runs.app.as_str(), runs.action.as_str()), ("lab:Lab", "hold"));
    assert_eq!(runs.request_id, "req-7");
    let uid = nix::unistd::geteuid();
    assert_eq!(runs.peer, format!("uid {uid} (pid {})", std::process::id()));
    let worker = &daemon.status().await.workers[0];
    assert_eq!((runs.worker_id, runs.worker_pid), (worker.id, worker.pid));
    assert!(runs.running_for.is_some() && runs.time_left.is_some() && runs.waits_for.is_empty());
    assert_eq!(waits.wait_reason(), WaitReason::Slot);
    assert_eq!(waits.waits_for, "a free slot in 1 worker");
    assert!(waits.running_for.is_none() && waits.worker_id == 0 && waits.id > runs.id);

    let of_nobody = ListCallsRequest { app: "lab:Nobody".to_owned(), limit: 0 };
    let listed = daemon.admin().list_calls(of_nobody).await.expect("an answer").into_inner();
    assert_eq!((listed.calls.len(), listed.left_out), (0, 0));
    let one = ListCallsRequest { limit: 1, ..ListCallsRequest::default() };
    let listed = daemon.admin().list_calls(one).await.expect("an answer").into_inner();
    assert_eq!((listed.calls[0].id, listed.left_out), (runs.id, 1));

    daemon.touch("door");
    assert_eq!(holding.await.expect("no panic").expect("hold"), Value::from(7));
    waiting.await.expect("no panic").expect("echo");
    until(&daemon, "none is left", <[_]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_its_user_or_for_a_worker_says_so() {
    let uid = nix::unistd::geteuid();
    let daemon = Daemon::start(&format!(
        "threads = 2\n{APP}\n[[access]]\nuids = [{uid}]\nmax_running = 1\nadmin = \"full\""
    ))
    .await;
    let _holding = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    let waiting = daemon.calling("echo", args!["next"]);
    let listed = until(&daemon, "both are there", |calls| calls.len() == 2).await;
    assert_eq!(listed[1].wait_reason(), WaitReason::UserLimit);
    assert!(listed[1].waits_for.contains("of which 1 may run (max_running)"), "{listed:?}");
    daemon.touch("door");
    waiting.await.expect("no panic").expect("echo");

    let slow = "import pathlib, time\nclass App:\n    def init(self):\n        while not pathlib.Path('go').exists(): time.sleep(0.005)\n";
    let files = [("slow.py", slow)];
    let daemon = Daemon::launch_with("[[app]]\npath = \"slow:App\"", &files).await;
    let client = daemon.client();
    let _waiting = tokio::spawn(async move { client.execute("slow:App", "echo", args![]).await });
    let listed = until(&daemon, "it waits", |calls| calls.len() == 1).await;
    assert_eq!(listed[0].wait_reason(), WaitReason::Worker);
    assert!(listed[0].waits_for.contains("none is ready"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_is_answered_at_once_wherever_it_is() {
    let daemon = Daemon::start(APP).await;
    let running = daemon.calling("patient", args!["work"]);
    daemon.seen("work.started").await;
    let waiting = daemon.calling("touch", args!["ran"]);
    let listed = until(&daemon, "both are there", |calls| calls.len() == 2).await;
    for (call, was, outcome) in
        [(&listed[1], CallState::Queued, waiting), (&listed[0], CallState::Running, running)]
    {
        assert_eq!(cancel(&daemon, call).await, was);
        let reason = Reason::Other("CANCELLED_BY_OPERATOR".to_owned());
        let failed = failure(outcome.await.expect("no panic"), Code::Cancelled, reason);
        assert!(failed.message.contains("an operator cancelled"), "{failed:?}");
    }
    daemon.seen("work.cancelled").await;
    until(&daemon, "the work has ended", <[_]>::is_empty).await;
    assert!(!daemon.path("ran").exists(), "what waited never ran");
    let gone = CancelCallRequest { call_id: listed[0].id };
    let gone = daemon.admin().cancel_call(gone).await.expect_err("it has ended");
    assert_eq!(gone.code(), Code::NotFound);
    assert!(gone.message().contains(&listed[0].id.to_string()), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_stream_closes_its_generator() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let mut stream = client.stream("lab:Lab", "ticks", args!["t"]).await.expect("stream");
    stream.next().await.expect("a chunk").expect("no error");
    let listed = until(&daemon, "it runs", |calls| calls.len() == 1).await;
    assert!(listed[0].stream && listed[0].chunks > 0, "{listed:?}");
    assert_eq!(cancel(&daemon, &listed[0]).await, CallState::Running);
    daemon.seen("t.closed").await;
    let end = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the stream ended well"),
        }
    };
    let reason = Reason::Other("CANCELLED_BY_OPERATOR".to_owned());
    failure(Err::<Value, _>(end), Code::Cancelled, reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_that_does_not_end_is_interrupted_then_killed() {
    let daemon = Daemon::start(APP).await;
    let before = daemon.status().await.workers[0].pid;
    let running = daemon.calling("swallow", args![]);
    let listed = until(&daemon, "it runs", |calls| {
        calls.iter().any(|call| call.state() == CallState::Running)
    })
    .await;
    cancel(&daemon, &listed[0]).await;
    let reason = Reason::Other("CANCELLED_BY_OPERATOR".to_owned());
    failure(running.await.expect("no panic"), Code::Cancelled, reason);
    let abandoned = calls(&daemon).await;
    assert_eq!(abandoned[0].state(), CallState::Abandoned, "it keeps its slot");
    assert_eq!(cancel(&daemon, &abandoned[0]).await, CallState::Abandoned);
    daemon
        .until("another worker serves", |status| {
            status.workers.iter().any(|worker| worker.pid != before && worker.state == 2)
        })
        .await;
    assert!(daemon.log().contains("after an operator cancelled it"), "{}", daemon.log());
    daemon.client().execute("lab:Lab", "echo", args![1]).await.expect("it serves again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_worker_drains_once_another_one_is_ready() {
    let daemon = Daemon::start(APP).await;
    let old = daemon.status().await.workers[0].clone();
    assert_eq!((old.seat, old.cpu_time.is_some()), (0, true));
    let holding = daemon.calling("hold", args!["door", 7]);
    daemon.seen("door.started").await;
    let request = || RestartWorkerRequest { worker_id: old.id };
    let restarted = daemon.admin().restart_worker(request()).await.expect("it is there");
    let restarted = restarted.into_inner();
    assert_eq!((restarted.worker_pid, restarted.pool.as_str()), (old.pid, "default"));
    let again = daemon.admin().restart_worker(request()).await.expect_err("under way");
    assert_eq!(again.code(), Code::FailedPrecondition, "{again}");
    daemon.client().execute("lab:Lab", "echo", args![1]).await.expect("its successor serves");
    daemon.touch("door");
    assert_eq!(holding.await.expect("no panic").expect("it was not cut off"), Value::from(7));
    let left = daemon.until("it has left", |status| status.workers.len() == 1).await;
    assert_ne!(left.workers[0].pid, old.pid);
    assert_eq!(left.workers[0].seat, 0, "the seat stays");
    assert_eq!(app(&left, "lab:Lab").ready_workers, 1);
    let gone = daemon.admin().restart_worker(request()).await.expect_err("it is gone");
    assert_eq!(gone.code(), Code::NotFound);
    assert!(gone.message().contains(&format!("pid {}", left.workers[0].pid)), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_not_there_has_no_stacks() {
    let daemon = Daemon::start(APP).await;
    let nobody = GetStacksRequest { worker_id: 99 };
    let error = daemon.admin().get_stacks(nobody).await.expect_err("no such worker");
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.message().contains("there is no worker 99"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stacks_of_a_worker_show_its_calls_while_they_run() {
    let daemon = Daemon::start(APP).await;
    let holding = daemon.calling("hold", args!["door", 7]);
    daemon.seen("door.started").await;
    let worker = daemon.status().await.workers[0].clone();
    let request = || GetStacksRequest { worker_id: worker.id };
    let answer = daemon.admin().get_stacks(request()).await.expect("an answer").into_inner();
    assert_eq!((answer.worker_pid, answer.note.as_str()), (worker.pid, ""));
    let call = &calls(&daemon).await[0];
    let stack = answer.stacks.iter().find(|stack| stack.call_id == call.id).expect("its stack");
    let frame = stack.frames.iter().find(|frame| frame.function.contains("hold"));
    let frame = frame.unwrap_or_else(|| panic!("{stack:?}"));
    assert!(frame.file.ends_with("lab.py") && frame.line > 0, "{frame:?}");
    assert!(frame.source.contains("appears(name)"), "{frame:?}");
    daemon.touch("door");
    assert_eq!(holding.await.expect("no panic").expect("it went on"), Value::from(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_interpreter_is_held_says_nothing_and_the_answer_says_what_helps() {
    let daemon = Daemon::start(APP).await;
    let stuck = daemon.calling("stuck", args![]);
    until(&daemon, "it runs", |calls| calls.len() == 1).await;
    let worker = daemon.status().await.workers[0].clone();
    let request = GetStacksRequest { worker_id: worker.id };
    let answer = daemon.admin().get_stacks(request).await.expect("an answer").into_inner();
    assert_eq!(answer.stacks, []);
    assert!(answer.note.contains("--native"), "{}", answer.note);
    stuck.abort();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(worker.pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .expect("it is there");
}
