//! The error table of the contract, row by row: code, reason, and the facts that
//! an operator needs. Rows that need a special daemon stand with their behaviour
//! (`queue`, `boot`, `deadlines`, `crash`, `drain`).

use dirtyd_client::{Args, CallFailure, Error, Reason, Value, args};
use tonic::Code;

use crate::support::{Daemon, failure};

const CONFIG: &str = "max_message_size = \"1MiB\"\n[[app]]\npath = \"lab:Lab\"";

fn fact<'a>(failure: &'a CallFailure, key: &str) -> &'a str {
    failure.facts.get(key).unwrap_or_else(|| panic!("{key} in {failure:?}"))
}

/// Calls an action of the lab that must fail.
async fn fails(
    daemon: &Daemon,
    action: &str,
    args: impl Into<Args>,
    code: Code,
    reason: Reason,
) -> CallFailure {
    let client = daemon.client().with_metadata("x-request-id", "req-7");
    failure(client.execute("lab:Lab", action, args).await, code, reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_exist() {
    let daemon = Daemon::start(CONFIG).await;
    let outcome = daemon.client().execute("lab:Nobody", "echo", args![]).await;
    let unknown = failure(outcome, Code::NotFound, Reason::AppNotFound);
    assert_eq!(fact(&unknown, "app"), "lab:Nobody");
    let (unimplemented, reason) = (Code::Unimplemented, Reason::ActionNotFound);
    let missing =
        fails(&daemon, "nothing_of_the_kind", args![], unimplemented, reason.clone()).await;
    assert_eq!(fact(&missing, "action"), "nothing_of_the_kind");
    for private in ["_secret", "__init__"] {
        fails(&daemon, private, args![], unimplemented, reason.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_make_no_sense() {
    let daemon = Daemon::start(CONFIG).await;
    let (code, reason) = (Code::InvalidArgument, Reason::InvalidRequest);
    fails(&daemon, "", args![], code, reason.clone()).await;
    fails(&daemon, &"a".repeat(256), args![], code, reason.clone()).await;
    let outcome = daemon.client().execute("", "echo", args![]).await;
    failure(outcome, code, reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_of_the_app_reaches_the_caller_with_its_traceback() {
    let daemon = Daemon::start(CONFIG).await;
    let pid = daemon.status().await.workers[0].pid.to_string();
    let raised =
        fails(&daemon, "fail", args!["no such row"], Code::Unknown, Reason::AppError).await;
    assert!(raised.message.contains("ValueError: no such row"), "{}", raised.message);
    assert_eq!(raised.remote_type.as_deref(), Some("ValueError"));
    let traceback = raised.remote_traceback.as_deref().expect("DebugInfo");
    assert!(traceback.contains("lab.py") && traceback.contains("in fail"), "{traceback}");
    for (key, value) in
        [("app", "lab:Lab"), ("action", "fail"), ("worker_pid", &pid), ("request_id", "req-7")]
    {
        assert_eq!(fact(&raised, key), value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_chooses_its_own_code() {
    let daemon = Daemon::start(CONFIG).await;
    let chosen =
        fails(&daemon, "choose", args!["NOT_FOUND"], Code::NotFound, Reason::AppError).await;
    assert_eq!(chosen.remote_type.as_deref(), Some("KeyError"));
    // A fact that no caller could get does not end the worker that has it.
    let chosen =
        fails(&daemon, "choose", args!["NOT_FOUND", 4 << 20], Code::NotFound, Reason::AppError)
            .await;
    assert_eq!(fact(&chosen, "row"), "7");
}

#[tokio::test(flavor = "multi_thread")]
async fn execute_on_an_action_that_streams() {
    let daemon = Daemon::start(CONFIG).await;
    let (code, reason) = (Code::FailedPrecondition, Reason::ActionStreams);
    for action in ["count", "count_async"] {
        fails(&daemon, action, args![3], code, reason.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_over_the_limit() {
    let daemon = Daemon::start(CONFIG).await;
    let (code, reason) = (Code::ResourceExhausted, Reason::MessageTooLarge);
    let pid = daemon.client().execute("lab:Lab", "pid", args![]).await.expect("pid");
    fails(&daemon, "blob", args![2 << 20], code, reason.clone()).await;
    fails(&daemon, "echo", args!["x".repeat(2 << 20)], code, reason).await;
    let after = daemon.client().execute("lab:Lab", "pid", args![]).await.expect("pid");
    assert_eq!(after, pid, "the worker lives on");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_knows_its_caller() {
    let daemon = Daemon::start(CONFIG).await;
    let client = (daemon.client().with_metadata("x-request-id", "req-7"))
        .with_metadata("tenant", "t1")
        .with_metadata("raw-bin", [0, 255]);
    let facts = client.execute("lab:Lab", "facts", args![]).await.expect("facts");
    assert_eq!(facts.get("request_id").and_then(|id| id.as_str()), Some("req-7"));
    let metadata = facts.get("metadata").expect("metadata");
    assert_eq!(metadata.get("tenant").and_then(|tenant| tenant.as_str()), Some("t1"));
    assert_eq!(metadata.get("raw-bin"), Some(&Value::from(&[0, 255][..])));
    assert_eq!(metadata.get("user-agent"), None, "what belongs to gRPC stays there");
    let left = facts.get("remaining").and_then(|left| left.as_f64()).expect("remaining");
    assert!(left > 200.0 && left <= 300.0, "the default timeout: {left}");

    for (key, value) in [("tenant", "two\nlines"), ("not a key", "x")] {
        let client = daemon.client().with_metadata(key, value);
        let outcome = client.execute("lab:Lab", "facts", args![]).await;
        assert!(matches!(outcome, Err(Error::InvalidArgument(_))), "{key}: {outcome:?}");
    }
}

/// A caller who could run `init` would load the model again, under the calls of others.
#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_the_life_of_an_app_is_no_action() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    for action in ["init", "close", "preload"] {
        let outcome = daemon.client().execute("lab:Lab", action, args![]).await;
        let failure = failure(outcome, Code::Unimplemented, Reason::ActionNotFound);
        assert!(failure.message.contains("is not an action"), "{}", failure.message);
    }
}
