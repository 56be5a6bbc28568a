//! The edge: limits, refusals, health, reflection, and what is no gRPC at all.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use dirtyd_client::{Error, Reason, Value, args, proto::v1::ExecuteRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{Daemon, LIMIT, bare, execute_with, failure};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

fn check(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_per_app_and_watched() {
    let broken = "import pathlib\nclass App:\n    def init(self): pathlib.Path('weights').read_text()\n    def __call__(self, action): pass\n";
    let config = format!("{APP}\n[[app]]\npath = \"broken:App\"");
    let daemon = Daemon::launch_with(&config, &[("broken.py", broken)]).await;
    daemon
        .until("booted", |s| s.apps[0].ready_workers == 1 && !s.apps[1].last_error.is_empty())
        .await;
    let mut health = HealthClient::new(daemon.channel());
    let mut status = async |name: &str| {
        health.check(check(name)).await.map(|answer| answer.into_inner().status())
    };
    assert_eq!(status("").await.expect("overall"), ServingStatus::Serving);
    assert_eq!(status("lab:Lab").await.expect("an app"), ServingStatus::Serving);
    assert_eq!(status("broken:App").await.expect("an app"), ServingStatus::NotServing);
    assert_eq!(status("no:App").await.expect_err("unknown").code(), Code::NotFound);

    let mut health = HealthClient::new(daemon.channel());
    let mut watch = health.watch(check("broken:App")).await.expect("watch").into_inner();
    let mut next = async || watch.message().await.expect("no error").expect("a change").status();
    assert_eq!(next().await, ServingStatus::NotServing);
    daemon.touch("weights");
    assert_eq!(next().await, ServingStatus::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_speaks_both_versions() {
    let daemon = Daemon::start(APP).await;
    let channel = daemon.channel();
    let mut names = Vec::new();
    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let answers = client.server_reflection_info(tokio_stream::once(request)).await.expect("v1");
    let answer = answers.into_inner().message().await.expect("no error").expect("an answer");
    if let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    {
        names.extend(list.service.into_iter().map(|service| service.name));
    }
    for name in ["dirty.v1.Arbiter", "dirty.v1.Admin", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    let symbol = "dirty.v1.Arbiter".to_owned();
    let find = v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(symbol);
    let request =
        v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(find) };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers =
        client.server_reflection_info(tokio_stream::once(request)).await.expect("v1alpha");
    let answer = answers.into_inner().message().await.expect("no error").expect("an answer");
    assert!(matches!(
        answer.message_response,
        Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_deadline_is_refused() {
    let daemon = Daemon::start(APP).await;
    for timeout in ["5", "soon", "-1S", "123456789S", "1x"] {
        let header = ("grpc-timeout", timeout);
        let outcome = execute_with(&daemon.socket(), header, "echo", &[]).await;
        failure(outcome, Code::InvalidArgument, Reason::InvalidRequest);
    }
    let outcome = execute_with(&daemon.socket(), ("grpc-timeout", "99999999H"), "echo", &[]).await;
    assert_eq!(outcome.expect("a long one is fine"), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_over_the_limit_are_refused_and_the_next_call_served() {
    let daemon = Daemon::start(&format!("max_header_size = \"4KiB\"\n{APP}")).await;
    let socket = daemon.socket();
    let mut stub = bare(&socket).await;
    let request = |size: usize| {
        let mut request = Request::new(ExecuteRequest {
            app: "lab:Lab".to_owned(),
            action: "echo".to_owned(),
            ..Default::default()
        });
        request.metadata_mut().insert("padding", "x".repeat(size).parse().expect("metadata"));
        request
    };
    stub.execute(request(1024)).await.expect("within the limit");
    stub.execute(request(8192)).await.expect_err("over the limit");
    stub.execute(request(1024)).await.expect("the connection lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_told_so() {
    // Beside the limit of all there are places for operators, such as this user.
    let uid = nix::unistd::geteuid();
    let entry = format!("{APP}\n[[access]]\nuids = [{uid}]\nmax_connections = 2");
    let daemon = Daemon::start(&entry).await;
    let second = daemon.connect();
    second.execute("lab:Lab", "echo", args![]).await.expect("the second");
    daemon
        .until("both are counted", |s| s.arbiter.as_ref().is_some_and(|a| a.connections == 2))
        .await;
    let outcome = daemon.connect().execute("lab:Lab", "echo", args![]).await;
    let full =
        failure(outcome, Code::ResourceExhausted, Reason::Other("TOO_MANY_CONNECTIONS".into()));
    assert!(full.retry_after.is_some());
    drop(second);
    daemon.until("one has left", |s| s.arbiter.as_ref().is_some_and(|a| a.connections == 1)).await;
    daemon.connect().execute("lab:Lab", "echo", args![]).await.expect("there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_connection_and_nothing_else() {
    let daemon = Daemon::start(APP).await;
    let mut noise = [0_u8; 4096];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &noise, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff"]
    {
        let mut stream = UnixStream::connect(daemon.socket()).await.expect("connect");
        stream.write_all(bytes).await.expect("write");
        stream.shutdown().await.expect("shutdown");
        let mut answer = Vec::new();
        // Closed, or reset because there was more to read.
        let closed = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
        let _ = closed.await.expect("the connection is closed");
        daemon.client().execute("lab:Lab", "echo", args![]).await.expect("others are served");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_reads_what_the_socket_speaks() {
    let daemon = Daemon::start(APP).await;
    let body = "x".repeat(50_000);
    let close = "Host: d\r\nConnection: close";
    let path = "/dirty.v1.Arbiter/Execute";
    let grpc = "Content-Type: application/grpc\r\nContent-Length: 50000";
    for (request, status, words) in [
        (format!("GET {path} HTTP/1.1\r\n{close}\r\n\r\n"), 405, "by POST"),
        (format!("POST {path} HTTP/1.1\r\n{close}\r\n{grpc}\r\n\r\n{body}"), 505, "needs HTTP/2"),
    ] {
        let mut stream = UnixStream::connect(daemon.socket()).await.expect("connect");
        stream.write_all(request.as_bytes()).await.expect("write");
        let mut answer = String::new();
        let read = tokio::time::timeout(LIMIT, stream.read_to_string(&mut answer)).await;
        read.expect("the connection is closed").expect("and not reset");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(words), "{answer}");
    }
    daemon.client().execute("lab:Lab", "echo", args![]).await.expect("others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preface_may_come_byte_by_byte() {
    let daemon = Daemon::start(APP).await;
    let mut stream = UnixStream::connect(daemon.socket()).await.expect("connect");
    // The preface, then SETTINGS without any.
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        stream.write_all(&[*byte]).await.expect("write");
        stream.flush().await.expect("flush");
        tokio::task::yield_now().await;
    }
    let mut head = [0; 9];
    let read = tokio::time::timeout(LIMIT, stream.read_exact(&mut head)).await;
    read.expect("an answer").expect("open");
    assert_eq!(head[3], 4, "SETTINGS: {head:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_the_limit_leaves_its_connection_alone() {
    let daemon = Daemon::start(&format!("max_message_size = \"1MiB\"\n{APP}")).await;
    let client = daemon.client();
    let slow = daemon.calling("hold", args!["door", 1]);
    daemon.seen("door.started").await;
    let outcome = client.execute("lab:Lab", "echo", args!["x".repeat(8 << 20)]).await;
    failure(outcome, Code::ResourceExhausted, Reason::MessageTooLarge);
    daemon.touch("door");
    let answer: Result<Value, Error> = slow.await.expect("no panic");
    assert_eq!(answer.expect("a call on the same connection"), Value::from(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_has_the_mode_of_the_configuration() {
    let mode = |daemon: &Daemon| {
        fs::metadata(daemon.socket()).expect("socket").permissions().mode() & 0o7777
    };
    assert_eq!(mode(&Daemon::start(APP).await), 0o600, "private unless told otherwise");
    assert_eq!(mode(&Daemon::start(&format!("socket_mode = \"0660\"\n{APP}")).await), 0o660);
}
