//! Strictness at the wire: what is not quite gRPC runs nothing, and is told why.

use std::{fs, time::Duration};

use base64::Engine as _;
use bytes::Bytes;
use dirtyd_client::{Value, proto::v1::ExecuteRequest};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use prost::Message as _;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_types::StatusExt as _;

use crate::support::{Daemon, bare, execute_with, framed, in_small_frames, of_lab, post, raw};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

fn touch(name: &str) -> ExecuteRequest {
    ExecuteRequest {
        app: "lab:Lab".to_owned(),
        action: "touch".to_owned(),
        args: vec![Value::from(name).into_proto()],
        ..ExecuteRequest::default()
    }
}

/// The head of an Execute without what says that it is gRPC.
fn plain() -> http::request::Builder {
    Request::post("http://localhost/dirty.v1.Arbiter/Execute")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_grpc_runs_nothing_and_is_told_why() {
    let daemon = Daemon::start(APP).await;
    let get = Request::get("http://localhost/dirty.v1.Arbiter/Execute");
    let cases = [
        (
            get.header("content-type", "application/grpc").header("te", "trailers"),
            StatusCode::METHOD_NOT_ALLOWED,
            "POST",
        ),
        (
            plain().header("content-type", "text/plain").header("te", "trailers"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "text/plain",
        ),
        (
            plain().header("content-type", "application/grpc+thrift").header("te", "trailers"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "grpc+thrift",
        ),
        (plain().header("content-type", "application/grpc+json"), StatusCode::BAD_REQUEST, "te:"),
        (plain().header("content-type", "application/grpc"), StatusCode::BAD_REQUEST, "te:"),
    ];
    for (request, status, words) in cases {
        let request = request.body(Full::new(framed(&touch("ran")))).expect("a request");
        let answer = raw(&daemon.socket(), request).await;
        assert_eq!(answer.status(), status);
        let message = answer.headers()["grpc-message"].to_str().expect("text");
        assert!(message.contains(words), "{message}");
    }
    assert!(!daemon.path("ran").exists(), "nothing ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_is_no_base64_is_refused() {
    let daemon = Daemon::start(APP).await;
    let request = post().header("trace-bin", "!!!");
    let request = request.body(Full::new(framed(&touch("ran")))).expect("a request");
    let answer = raw(&daemon.socket(), request).await;
    assert_eq!(answer.headers()["grpc-status"], "3");
    assert!(answer.headers()["grpc-message"].to_str().expect("text").contains("trace-bin"));
    assert!(!daemon.path("ran").exists(), "nothing ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_its_app_last_or_twice_is_refused() {
    let daemon = Daemon::start(APP).await;
    let mut last =
        framed(&ExecuteRequest { app: String::new(), ..touch(&"x".repeat(40_000)) }).to_vec();
    last.extend(ExecuteRequest { app: "lab:Lab".to_owned(), ..Default::default() }.encode_to_vec());
    let twice = ExecuteRequest { app: "other:App".to_owned(), ..Default::default() };
    let mut twice = [twice.encode_to_vec(), touch("ran").encode_to_vec()].concat();
    twice.splice(0..0, [&[0][..], &(twice.len() as u32).to_be_bytes()].concat());
    let length = (last.len() - 5) as u32;
    last[1..5].copy_from_slice(&length.to_be_bytes());
    for (body, words) in [(last, "arguments"), (twice, "twice")] {
        let request = post().body(Full::new(Bytes::from(body))).expect("a request");
        let answer = raw(&daemon.socket(), request).await;
        assert_eq!(answer.headers()["grpc-status"], "3");
        let message = answer.headers()["grpc-message"].to_str().expect("text");
        assert!(message.contains(words), "{message}");
    }
    assert!(!daemon.path("ran").exists(), "nothing ran");
}

/// The rest of the body never comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_arrive_ends() {
    let daemon = Daemon::start(&format!("request_timeout = \"300ms\"\n{APP}")).await;
    for (timeout, words) in [("", "request_timeout"), ("100m", "deadline")] {
        let half = framed(&touch("ran")).slice(..20);
        let first =
            futures_util::stream::iter([Ok::<_, std::io::Error>(http_body::Frame::data(half))]);
        let endless = futures_util::StreamExt::chain(first, futures_util::stream::pending());
        let mut request = post();
        if !timeout.is_empty() {
            request = request.header("grpc-timeout", timeout);
        }
        let body = StreamBody::new(endless).boxed_unsync();
        let answer = raw(&daemon.socket(), request.body(body).expect("a request")).await;
        assert_eq!(answer.headers()["grpc-status"], "4");
        let message = answer.headers()["grpc-message"].to_str().expect("text");
        assert!(message.contains(words), "{message}");
    }
    let idle = |s: &dirtyd_client::proto::v1::StatusResponse| {
        s.arbiter.as_ref().is_some_and(|a| a.calls == 0)
    };
    daemon.until("nothing is held", idle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_of_0_is_told_as_what_it_is() {
    let daemon = Daemon::start(APP).await;
    let mut request = tonic::Request::new(touch("ran"));
    request.set_timeout(Duration::ZERO);
    let status = bare(&daemon.socket()).await.execute(request).await.expect_err("too late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("deadline had passed"), "{status:?}");
    assert!(!status.message().contains("slot"), "{status:?}");
    assert!(!daemon.path("ran").exists(), "nothing ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_of_an_unknown_service_waits_until_it_is_known() {
    let daemon = Daemon::start(APP).await;
    let mut health = HealthClient::new(daemon.channel());
    let check = HealthCheckRequest { service: "other:App".to_owned() };
    let mut watch = health.watch(check).await.expect("watched").into_inner();
    let first = watch.message().await.expect("no error").expect("an answer");
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    fs::write(daemon.path("other.py"), "class App:\n    def __call__(self, action): return 1\n")
        .expect("written");
    let config = format!("{APP}\n[[app]]\npath = \"other:App\"");
    fs::write(daemon.path("dirtyd.toml"), config).expect("written");
    assert_eq!(daemon.run(&["reload"]).await.code, Some(0));
    loop {
        let next = watch.message().await.expect("no error").expect("it stays open");
        if next.status() == ServingStatus::Serving {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_above_the_limit_is_told_in_words_and_costs_no_connection() {
    let daemon = Daemon::start(APP).await;
    let client = daemon.client();
    client.execute("lab:Lab", "pid", dirtyd_client::args![]).await.expect("served");
    for size in [20 << 10, 70 << 10] {
        let body = Full::new(framed(&touch("ran")));
        let request = post().header("x-large", "x".repeat(size)).body(body).expect("a request");
        let answer = raw(&daemon.socket(), request).await;
        let message = answer.headers()["grpc-message"].to_str().expect("text");
        assert_eq!(answer.headers()["grpc-status"], "8", "{message}");
        assert!(message.contains("max_header_size"), "{message}");
        assert!(answer.headers().contains_key("grpc-status-details-bin"));
    }
    assert!(!daemon.path("ran").exists());
}

/// Clients cut a head into frames of 16 KiB: one of 1 MiB has 65.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_up_to_1_mib_costs_its_own_call_only() {
    let daemon = Daemon::start(&format!("workers = 2\n{APP}")).await;
    let mut sender = in_small_frames(&daemon.socket()).await;
    let wait = of_lab("hold", Value::from("go"));
    let beside = sender.send_request(post().body(Full::new(wait)).expect("a request"));
    let beside = tokio::spawn(beside);
    for size in [100 << 10, 300 << 10, 1 << 20] {
        let request = post().header("x-large", "x".repeat(size));
        let request = request.body(Full::new(framed(&touch("ran")))).expect("a request");
        let answer = sender.send_request(request).await.expect("the connection lives");
        let said = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(said("grpc-status"), Some("8"), "{size}: {answer:?}");
        let details = said("grpc-status-details-bin").expect("details");
        let info = tonic::Status::with_details(
            Code::ResourceExhausted,
            said("grpc-message").expect("words"),
            base64::engine::general_purpose::STANDARD_NO_PAD
                .decode(details)
                .expect("base64")
                .into(),
        );
        assert!(info.message().contains("max_header_size"), "{info:?}");
        let info = info.get_error_details().error_info().expect("an ErrorInfo").clone();
        assert_eq!(info.reason, "MESSAGE_TOO_LARGE");
        let next = post().body(Full::new(of_lab("echo", Value::from(7)))).expect("a request");
        let next = sender.send_request(next).await.expect("the connection lives");
        let end = next.into_body().collect().await.expect("a result");
        assert_eq!(end.trailers().expect("trailers")["grpc-status"], "0");
    }
    daemon.touch("go");
    let beside = beside.await.expect("no panic").expect("it went on").into_body();
    let end = beside.collect().await.expect("a result");
    assert_eq!(end.trailers().expect("trailers")["grpc-status"], "0");
    assert!(!daemon.path("ran").exists(), "nothing ran");
}

/// What is beyond that is no mistake any more.
#[tokio::test(flavor = "multi_thread")]
async fn metadata_without_end_costs_the_connection_and_the_log_says_why() {
    let daemon = Daemon::start(APP).await;
    for _ in 0..2 {
        let mut sender = in_small_frames(&daemon.socket()).await;
        let request = post().header("x-large", "x".repeat(2 << 20));
        let request = request.body(Full::new(framed(&touch("ran")))).expect("a request");
        sender.send_request(request).await.expect_err("the connection is closed");
    }
    let large = "x".repeat(2 << 20);
    let lost = execute_with(&daemon.socket(), ("x-large", &large), "echo", &[]).await;
    let lost = lost.expect_err("the connection is closed").to_string();
    assert!(lost.contains("broke during the call") && !lost.contains("running"), "{lost}");
    daemon.logged("is closed: it sent a header block of more than 1114112 bytes").await;
    assert_eq!(daemon.log().matches("it sent a header block").count(), 1, "the first of a while");
    assert!(!daemon.path("ran").exists(), "nothing ran");
}
