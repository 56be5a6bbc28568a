//! A Rust worker, the one of `examples/rust`, beside a Python worker.

use dirtyd_client::{Reason, Tensor, Value, args};
use tonic::Code;

use crate::support::{Daemon, example, failure};

async fn daemon(settings: &str) -> Daemon {
    let command = example("rust-worker");
    Daemon::start(&format!(
        "[[app]]\npath = \"lab:Lab\"\n[[pool]]\nname = \"rust\"\ncommand = [{command:?}]\nthreads = 2\n\
         {settings}\napp = [{{ path = \"Mandelbrot\" }}]"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn rust_and_python_serve_side_by_side() {
    let daemon = daemon("workers = 2").await;
    let client = daemon.client();
    assert_eq!(client.execute("lab:Lab", "echo", args![1]).await.expect("Python"), 1.into());

    let view = || args![16, 8].kwarg("zoom", 2);
    let whole = client.execute("Mandelbrot", "render", view()).await.expect("Rust");
    let Ok(Tensor { dtype, shape, data }) = Tensor::try_from(whole) else { panic!("no tensor") };
    assert_eq!((dtype.as_str(), shape.as_slice()), ("uint8", [8, 16].as_slice()));
    assert!(data.contains(&0) && data.iter().any(|pixel| *pixel > 0), "inside and outside");

    let mut rows = client.stream("Mandelbrot", "rows", view()).await.expect("a stream");
    let mut streamed = Vec::new();
    while let Some(row) = rows.next().await {
        streamed.extend(Tensor::try_from(row.expect("a row")).expect("a tensor").data);
    }
    assert_eq!(streamed, data, "row by row it is the same view");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_errors_are_those_of_the_contract() {
    let daemon = daemon("").await;
    let client = daemon.client();
    let outcome = client.execute("Mandelbrot", "render", args![0]).await;
    let refused = failure(outcome, Code::InvalidArgument, Reason::AppError);
    assert_eq!(refused.remote_type.as_deref(), Some("SizeError"));
    assert_eq!(refused.facts.get("width").map(String::as_str), Some("0"));
    let traceback = refused.remote_traceback.expect("a traceback");
    assert!(traceback.contains("worker.rs:"), "{traceback}");

    let outcome = client.execute("Mandelbrot", "render", args!["wide"]).await;
    let wrong = failure(outcome, Code::Unknown, Reason::AppError);
    assert!(wrong.message.contains("expected an int, got a string"), "{}", wrong.message);
    let outcome = client.execute("Mandelbrot", "paint", args![]).await;
    failure(outcome, Code::Unimplemented, Reason::ActionNotFound);
    let outcome = client.execute("Mandelbrot", "rows", args![]).await;
    failure(outcome, Code::FailedPrecondition, Reason::ActionStreams);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeout_ends_the_work_and_keeps_the_worker() {
    let daemon = daemon("timeout = \"300ms\"").await;
    let client = daemon.client();
    let pid = |status: &dirtyd_client::proto::v1::StatusResponse| {
        status.workers.iter().find(|worker| worker.pool == "rust").expect("it runs").pid
    };
    let before = pid(&daemon.status().await);
    let outcome = client.execute("Mandelbrot", "render", args![4096, 4096]).await;
    failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    let small = client.execute("Mandelbrot", "render", args![2, 2]).await;
    assert!(matches!(small, Ok(Value::Tensor(_))), "{small:?}");
    assert_eq!(pid(&daemon.status().await), before, "nothing was killed");
}
