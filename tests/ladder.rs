//! The timeout really ends the work: raise, show the stacks, kill, replace; and
//! the caller is answered at its deadline, whatever becomes of the work.

use dirtyd_client::{Reason, args};
use tonic::Code;

use crate::support::{Daemon, failure, pids};

const CONFIG: &str = "timeout = \"700ms\"\nkill_grace = \"400ms\"\n[[app]]\npath = \"lab:Lab\"";

/// Runs an action that never ends by itself; its worker must be replaced.
async fn is_killed(action: &str) {
    let daemon = Daemon::start(CONFIG).await;
    let before = pids(&daemon.status().await);
    let outcome = daemon.client().execute("lab:Lab", action, args![]).await;
    let failure = failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    assert_eq!(failure.facts["worker_pid"], before[0].to_string());

    let replaced = daemon.until("the worker is replaced", |status| {
        pids(status).len() == 1 && pids(status) != before
    });
    replaced.await;
    daemon.ready().await;
    let pid = daemon.client().execute("lab:Lab", "pid", args![]).await.expect("pid").as_int();
    assert_ne!(pid, Some(before[0].into()), "the replacement serves");
    let log = daemon.log();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text:?} in {log}"));
    let order = ["interrupting it", "the stacks of", "killing worker"];
    assert!(order.map(at).is_sorted(), "raise, dump, kill: {log}");
    // They are logged once they are complete, perhaps only at the end of the process.
    assert!(at("the stacks of") < at(&format!("in {action}")), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_that_swallows_exceptions_is_killed() {
    is_killed("swallow").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_code_that_holds_the_interpreters_lock_is_killed() {
    is_killed("stuck").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_lets_the_exception_pass_keeps_its_worker() {
    let daemon = Daemon::start(&CONFIG.replace("400ms", "20s")).await;
    let before = pids(&daemon.status().await);
    let outcome = daemon.client().execute("lab:Lab", "tidy", args!["t"]).await;
    failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    daemon.seen("t.tidied").await;
    let pid = daemon.client().execute("lab:Lab", "pid", args![]).await.expect("pid").as_int();
    assert_eq!(pid, Some(before[0].into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_async_action_is_cancelled_at_its_timeout() {
    let daemon = Daemon::start(&CONFIG.replace("400ms", "20s")).await;
    let before = pids(&daemon.status().await);
    let outcome = daemon.client().execute("lab:Lab", "nap", args!["n"]).await;
    failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    daemon.seen("n.cancelled").await;
    assert_eq!(pids(&daemon.status().await), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gave_up_does_not_save_the_work_from_the_timeout() {
    let daemon = Daemon::start(CONFIG).await;
    let before = pids(&daemon.status().await);
    let call = daemon.calling("swallow", args![]);
    daemon.until("it runs", |status| status.workers[0].in_flight == 1).await;
    call.abort();
    daemon.until("the worker is replaced", |s| s.workers.len() == 1 && pids(s) != before).await;
}

/// As where `command` is a shell that sets something up first.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_behind_a_shell_prints_its_stacks_too() {
    let python = crate::support::python();
    let python = python.to_str().expect("UTF-8");
    let command = format!("command = [\"sh\", \"-c\", \"{python} -m dirtyd.worker; exit $?\"]\n");
    let daemon = Daemon::start(&format!("{command}{CONFIG}")).await;
    let outcome = daemon.client().execute("lab:Lab", "stuck", args![]).await;
    failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    daemon.logged("in stuck").await;
    daemon.logged("killing worker").await;
}
