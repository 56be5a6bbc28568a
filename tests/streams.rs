//! Streams: live, in order, and ended with the one outcome of their call.

use dirtyd_client::{Args, Client, Error, Reason, Value, args, proto::v1::ExecuteRequest};
use tonic::Code;

use crate::support::{Daemon, bare, failure};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

/// All chunks of a stream, and how it ended.
async fn chunks(client: &Client, action: &str, args: Args) -> (Vec<Value>, Result<(), Error>) {
    let mut stream = match client.stream("lab:Lab", action, args).await {
        Ok(stream) => stream,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => chunks.push(chunk),
            Err(error) => return (chunks, Err(error)),
        }
    }
    (chunks, Ok(()))
}

fn numbers(count: i64) -> Vec<Value> {
    (0..count).map(Value::from).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_chunk_arrives_before_the_generator_goes_on() {
    let daemon = Daemon::start(APP).await;
    let mut stream =
        daemon.client().stream("lab:Lab", "steps", args!["step", 5]).await.expect("stream");
    for number in 0..5 {
        // The generator waits for the file: only a live chunk gets here.
        let chunk = stream.next().await.expect("a chunk").expect("no error");
        assert_eq!(chunk, Value::from(number));
        daemon.touch(&format!("step.{number}"));
    }
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_each_kind_of_action() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    for action in ["count", "count_async"] {
        // Far beyond the window of 32 chunks: credit comes back as they are read.
        let (all, ended) = chunks(&client, action, args![1000]).await;
        ended.expect(action);
        assert_eq!(all, numbers(1000), "{action}");
        let (none, ended) = chunks(&client, action, args![0]).await;
        ended.expect(action);
        assert_eq!(none, []);
    }
    let (one, ended) = chunks(&client, "echo", args!["only"]).await;
    ended.expect("an action that does not stream");
    assert_eq!(one, [Value::from("only")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_comes_after_the_chunks_before_it() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    let (before, ended) = chunks(&client, "fail_after", args![40]).await;
    assert_eq!(before, numbers(40));
    let raised = failure(ended, Code::Unknown, Reason::AppError);
    assert_eq!(raised.remote_type.as_deref(), Some("RuntimeError"));
    let (none, ended) = chunks(&client, "fail", args!["at once"]).await;
    assert_eq!(none, []);
    failure(ended, Code::Unknown, Reason::AppError);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_of_a_stream_bounds_the_gap_between_chunks() {
    let daemon = Daemon::start(&format!("timeout = \"1s\"\n{APP}")).await;
    let client = daemon.client();
    let (all, ended) = chunks(&client, "pause", args![0.2, 8]).await;
    ended.expect("1.6 s in all, 0.2 s between two");
    assert_eq!(all, numbers(8));
    let (before, ended) = chunks(&client, "steps", args!["never", 2]).await;
    assert_eq!(before, numbers(1));
    failure(ended, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    let after = client.execute("lab:Lab", "echo", args![1]).await;
    assert_eq!(after.expect("the worker serves on"), Value::from(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_deadline_bounds_the_whole_stream() {
    let daemon = Daemon::start(APP).await;
    let hurried = daemon.client().with_timeout(std::time::Duration::from_millis(300));
    let (ticks, ended) = chunks(&hurried, "ticks", args!["t"]).await;
    assert!(!ticks.is_empty());
    match ended {
        Err(Error::DeadlineExceeded) => {}
        other => drop(failure(other, Code::DeadlineExceeded, Reason::ExecutionTimeout)),
    }
    daemon.seen("t.closed").await;
    let pid = daemon.client().execute("lab:Lab", "pid", args![]).await;
    assert_eq!(pid.expect("pid"), ticks[0], "the same worker");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_a_stream_do_not_wait_long_for_its_first_chunk() {
    let daemon = Daemon::start(APP).await;
    let request = ExecuteRequest {
        app: "lab:Lab".into(),
        action: "nap".into(), // a coroutine: its result is the one chunk
        args: vec![Value::from("slow").into_proto()],
        ..ExecuteRequest::default()
    };
    // What comes back here are the headers: the chunk would take a minute.
    let response = bare(&daemon.socket()).await.execute_stream(request).await.expect("headers");
    daemon.seen("slow.started").await;
    drop(response);
    daemon.seen("slow.cancelled").await;
}
