//! Connect and gRPC-Web, over HTTP/1.1 and HTTP/2, with protobuf and its JSON.

use std::{fs, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf as _, Bytes};
use dirtyd_client::{Value, proto::v1};
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::signal::Signal;
use prost::Message as _;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::support::{Daemon, LIMIT, eventually, framed, raw};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";
const EXECUTE: &str = "/dirty.v1.Arbiter/Execute";
const STREAM: &str = "/dirty.v1.Arbiter/ExecuteStream";
const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn post(path: &str, content_type: &str) -> http::request::Builder {
    Request::post(format!("http://d{path}")).header("content-type", content_type)
}

/// A connection of HTTP/1.1.
async fn http1(daemon: &Daemon) -> http1::SendRequest<Full<Bytes>> {
    let stream = UnixStream::connect(daemon.socket()).await.expect("connect");
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1");
    tokio::spawn(connection);
    sender
}

/// The answer to a request, on a connection of its own.
async fn ask(
    daemon: &Daemon,
    version: Version,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Response<Collected<Bytes>> {
    let request = request.body(Full::new(body.into())).expect("a request");
    if version == Version::HTTP_2 {
        return raw(&daemon.socket(), request).await;
    }
    let answer = http1(daemon).await.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    Response::from_parts(head, body.collect().await.expect("a body"))
}

fn call<const N: usize>(action: &str, arguments: [Value; N]) -> v1::ExecuteRequest {
    v1::ExecuteRequest {
        app: "lab:Lab".to_owned(),
        action: action.to_owned(),
        args: arguments.into_iter().map(Value::into_proto).collect(),
        ..Default::default()
    }
}

/// A message in an envelope.
fn enveloped(message: &[u8]) -> Bytes {
    let length = (message.len() as u32).to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

/// The envelopes of a body, with their flags.
fn envelopes(mut body: Bytes) -> Vec<(u8, Bytes)> {
    let mut envelopes = Vec::new();
    while body.has_remaining() {
        let (flag, length) = (body.get_u8(), body.get_u32() as usize);
        envelopes.push((flag, body.split_to(length)));
    }
    envelopes
}

fn result(message: &[u8]) -> Value {
    let answer = v1::ExecuteResponse::decode(message).expect("an answer");
    answer.result.expect("a result").try_into().expect("a value")
}

fn json_of(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

/// The whole body of an answer.
fn bytes(answer: Response<Collected<Bytes>>) -> Bytes {
    answer.into_body().to_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_calls_and_streams() {
    let daemon = Daemon::start(APP).await;
    let echo = call("echo", [Value::from("hi")]).encode_to_vec();
    let large = call("blob", [Value::from(200_000)]).encode_to_vec();
    let count = framed(&call("count", [Value::from(3)]));
    let in_json = json!({"app": "lab:Lab", "action": "count", "args": [{"intValue": "2"}]});
    for version in VERSIONS {
        let answer = ask(&daemon, version, post(EXECUTE, "application/proto"), echo.clone()).await;
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (200.try_into().expect("200"), &"application/proto".try_into().expect("a value"))
        );
        assert_eq!(result(&bytes(answer)), Value::from("hi"), "{version:?}");
        let answer = ask(&daemon, version, post(EXECUTE, "application/proto"), large.clone()).await;
        assert!(bytes(answer).len() > 200_000);

        let request = post(STREAM, "application/connect+proto");
        let chunks = envelopes(bytes(ask(&daemon, version, request, count.clone()).await));
        assert_eq!(chunks.len(), 4, "{version:?}");
        for (number, (flag, chunk)) in chunks[..3].iter().enumerate() {
            assert_eq!((*flag, result(chunk)), (0, Value::from(number as i64)));
        }
        assert_eq!(chunks[3], (2, Bytes::from_static(b"{}")), "{version:?}");

        let body = enveloped(in_json.to_string().as_bytes());
        let request = post(STREAM, "application/connect+json");
        let chunks = envelopes(bytes(ask(&daemon, version, request, body).await));
        assert_eq!(json_of(&chunks[1].1), json!({"chunk": {"intValue": "1"}}));
        assert_eq!((chunks.len(), chunks[2].0), (3, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_web_calls_and_streams() {
    let daemon = Daemon::start(APP).await;
    let count = framed(&call("count", [Value::from(2)]));
    for version in VERSIONS {
        let request = post(STREAM, "application/grpc-web+proto");
        let chunks = envelopes(bytes(ask(&daemon, version, request, count.clone()).await));
        assert_eq!((chunks.len(), result(&chunks[1].1)), (3, Value::from(1)));
        assert_eq!(chunks[2], (0x80, Bytes::from_static(b"grpc-status: 0\r\n")));

        let request = post(STREAM, "application/grpc-web-text");
        let text = bytes(ask(&daemon, version, request, STANDARD.encode(&count)).await);
        // Each part is padded for itself.
        let parts = text.chunks(4).map(|four| STANDARD.decode(four).expect("base64"));
        let chunks = envelopes(parts.collect::<Vec<_>>().concat().into());
        assert_eq!((chunks.len(), chunks[2].0), (3, 0x80));

        let request = post(EXECUTE, "application/grpc-web");
        let answer =
            bytes(ask(&daemon, version, request, framed(&call("echo", [Value::from(7)]))).await);
        assert_eq!(result(&envelopes(answer)[0].1), Value::from(7));
    }
    let in_json = json!({"app": "lab:Lab", "action": "echo", "args": [{"boolValue": true}]});
    let request = post(EXECUTE, "application/grpc+json").header("te", "trailers");
    let answer =
        ask(&daemon, Version::HTTP_2, request, enveloped(in_json.to_string().as_bytes())).await;
    assert_eq!(answer.body().trailers().expect("trailers")["grpc-status"], "0");
    let answer = envelopes(bytes(answer));
    assert_eq!(json_of(&answer[0].1), json!({"result": {"boolValue": true}}));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_told_as_each_dialect_tells_them() {
    let daemon = Daemon::start(&format!("max_message_size = \"64KiB\"\n{APP}")).await;
    let failing = call("fail", [Value::from("no ü")]).encode_to_vec();
    for version in VERSIONS {
        let answer =
            ask(&daemon, version, post(EXECUTE, "application/proto"), failing.clone()).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let error = json_of(&bytes(answer));
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("unknown"), &json!("ValueError: no ü"))
        );
        let kinds = error["details"].as_array().expect("details").iter();
        let kinds: Vec<_> = kinds.map(|detail| detail["type"].as_str().expect("a type")).collect();
        assert!(kinds.contains(&"google.rpc.ErrorInfo") && kinds.contains(&"google.rpc.DebugInfo"));

        for (request, body, status, code) in [
            (
                post(EXECUTE, "application/proto"),
                Bytes::from_static(b"\xff"),
                400,
                "invalid_argument",
            ),
            (post(EXECUTE, "application/proto"), vec![0; 70_000].into(), 429, "resource_exhausted"),
            (post(EXECUTE, "application/json"), Bytes::from_static(b"{"), 400, "invalid_argument"),
            (
                post(EXECUTE, "application/proto").header("content-encoding", "gzip"),
                Bytes::new(),
                501,
                "unimplemented",
            ),
            (
                post(EXECUTE, "application/proto").header("connect-timeout-ms", "soon"),
                Bytes::new(),
                400,
                "invalid_argument",
            ),
            (
                post("/dirty.v1.Arbiter/Nothing", "application/json"),
                "{}".into(),
                404,
                "unimplemented",
            ),
            (post(STREAM, "application/proto"), Bytes::new(), 415, "invalid_argument"),
        ] {
            let answer = ask(&daemon, version, request, body).await;
            assert_eq!(answer.status(), status, "{code}");
            assert_eq!(json_of(&bytes(answer))["code"], code);
        }

        let late = framed(&call("fail_after", [Value::from(1)]));
        let request = post(STREAM, "application/connect+proto");
        let chunks = envelopes(bytes(ask(&daemon, version, request, late.clone()).await));
        assert_eq!((chunks.len(), chunks[1].0), (2, 2));
        assert_eq!(json_of(&chunks[1].1)["error"]["code"], "unknown");
        let request = post(STREAM, "application/grpc-web");
        let chunks = envelopes(bytes(ask(&daemon, version, request, late).await));
        let trailers = String::from_utf8_lossy(&chunks[1].1);
        assert!(trailers.starts_with("grpc-status: 2\r\n"), "{trailers}");
        assert!(trailers.contains("grpc-status-details-bin: "), "{trailers}");

        let unknown = framed(&v1::ExecuteRequest { app: "no:App".into(), ..call("echo", []) });
        let request = post(STREAM, "application/connect+proto");
        let answer = ask(&daemon, version, request, unknown).await;
        assert_eq!(answer.status(), 200, "the end of the stream tells it");
        assert_eq!(json_of(&envelopes(bytes(answer))[0].1)["error"]["code"], "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_the_call() {
    let daemon = Daemon::start(APP).await;
    let patient = call("patient", [Value::from("p")]).encode_to_vec();
    let request = post(EXECUTE, "application/proto").header("connect-timeout-ms", "300");
    let answer = ask(&daemon, Version::HTTP_11, request, patient).await;
    assert_eq!(answer.status(), 504);
    assert_eq!(json_of(&bytes(answer))["code"], "deadline_exceeded");
    daemon.seen("p.cancelled").await;
    let patient = framed(&call("patient", [Value::from("q")]));
    let request = post(STREAM, "application/grpc-web").header("grpc-timeout", "300m");
    let chunks = envelopes(bytes(ask(&daemon, Version::HTTP_2, request, patient).await));
    assert!(chunks[0].1.starts_with(b"grpc-status: 4\r\n"), "{chunks:?}");
    daemon.seen("q.cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_closes_the_generator() {
    let daemon = Daemon::start(APP).await;
    for (content_type, name) in [
        ("application/connect+proto", "c"),
        ("application/connect+json", "j"),
        ("application/grpc-web-text", "w"),
    ] {
        let ticks = match name {
            "j" => enveloped(
                json!({"app": "lab:Lab", "action": "ticks", "args": [{"stringValue": "j"}]})
                    .to_string()
                    .as_bytes(),
            ),
            "w" => STANDARD.encode(framed(&call("ticks", [Value::from("w")]))).into(),
            name => framed(&call("ticks", [Value::from(name)])),
        };
        let request = post(STREAM, content_type).body(Full::new(ticks)).expect("a request");
        let mut connection = http1(&daemon).await;
        let mut body: Incoming =
            connection.send_request(request).await.expect("an answer").into_body();
        body.frame().await.expect("a frame").expect("a chunk");
        drop((body, connection));
        daemon.seen(&format!("{name}.closed")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_stops_the_generator() {
    let daemon = Daemon::start(&format!("stream_window = 8\n{APP}")).await;
    let progress = || -> u64 {
        fs::read_to_string(daemon.path("f.progress")).unwrap_or_default().parse().unwrap_or(0)
    };
    let mut stream = UnixStream::connect(daemon.socket()).await.expect("connect");
    let body = framed(&call("flood", [Value::from("f"), Value::from(64 * 1024)]));
    let head = format!(
        "POST {STREAM} HTTP/1.1\r\nHost: d\r\nContent-Type: application/connect+proto\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("sent");
    let (mut last, mut same) = (0, 0);
    let reached = eventually(LIMIT, "the generator stops", async || {
        let now = progress();
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        (same == 50).then_some(now)
    });
    // Eight chunks of 64 KiB, and what the socket and the edge hold.
    assert!(reached.await < 64, "{last} chunks with nobody reading");
    let mut some = vec![0; 4 << 20];
    stream.read_exact(&mut some).await.expect("chunks");
    eventually(LIMIT, "it goes on", async || (progress() > last).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_the_json_codec_is_told_and_the_proto_codec_carries_it() {
    let daemon = Daemon::start(APP).await;
    let size = 1_100_000;
    let proto = call("blob", [Value::from(size)]).encode_to_vec();
    let answer = ask(&daemon, Version::HTTP_11, post(EXECUTE, "application/proto"), proto).await;
    assert!(bytes(answer).len() > 1_100_000);
    let args = json!([{"intValue": size.to_string()}]);
    let body = json!({"app": "lab:Lab", "action": "blob", "args": args}).to_string();
    let request = post(EXECUTE, "application/json");
    let answer = ask(&daemon, Version::HTTP_11, request, body.clone()).await;
    assert_eq!(answer.status(), 429);
    let error = json_of(&bytes(answer));
    assert!(error["message"].as_str().expect("text").contains("use the proto codec"), "{error}");
    let request = post(STREAM, "application/connect+json");
    let answer = ask(&daemon, Version::HTTP_11, request, enveloped(body.as_bytes())).await;
    let end = envelopes(bytes(answer)).pop().expect("an end");
    assert_eq!((end.0, &json_of(&end.1)["error"]["code"]), (2, &json!("resource_exhausted")));
}

/// What is made of a result, its JSON or its base64, is held as the result was.
#[tokio::test(flavor = "multi_thread")]
async fn an_unread_answer_is_held_in_the_form_in_which_it_leaves() {
    const SIZE: usize = 700_000;
    let daemon = Daemon::start(APP).await;
    let blob = framed(&call("blob", [Value::from(SIZE as i64)]));
    let args = json!([{"intValue": SIZE.to_string()}]);
    let in_json = json!({"app": "lab:Lab", "action": "blob", "args": args}).to_string();
    for (content_type, body) in [
        ("application/json", Bytes::from(in_json)),
        ("application/grpc-web-text", STANDARD.encode(blob).into()),
    ] {
        let stream = UnixStream::connect(daemon.socket()).await.expect("connect");
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        let handshake = http2.initial_stream_window_size(64 * 1024).handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = post(EXECUTE, content_type).body(Full::new(body)).expect("a request");
        let unread = sender.send_request(request).await.expect("an answer");
        let held = |status: &v1::StatusResponse| {
            status.arbiter.as_ref().map_or(0, |arbiter| arbiter.held_bytes) as usize
        };
        daemon.until("its base64 is held", |status| held(status) > SIZE * 5 / 4).await;
        drop(unread);
        daemon.until("it is given back", |status| held(status) == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_services_are_there_too() {
    let daemon = Daemon::start(APP).await;
    for version in VERSIONS {
        let json = |path: &str| post(path, "application/json");
        let answer = ask(&daemon, version, json("/grpc.health.v1.Health/Check"), "{}").await;
        assert_eq!(json_of(&bytes(answer)), json!({"status": "SERVING"}));
        let answer = ask(&daemon, version, json("/dirty.v1.Admin/Status"), "{}").await;
        assert_eq!(json_of(&bytes(answer))["apps"][0]["app"], "lab:Lab");
        let answer =
            ask(&daemon, version, json("/dirty.v1.Admin/Scale"), r#"{"workers": 100000}"#).await;
        assert_eq!(answer.status(), 400);
        assert_eq!(json_of(&bytes(answer))["details"][0]["type"], "google.rpc.ErrorInfo");
        let request = post("/grpc.health.v1.Health/Check", "application/grpc-web");
        let answer = envelopes(bytes(ask(&daemon, version, request, enveloped(b"")).await));
        assert_eq!((&answer[0].1[..], answer[1].0), (&b"\x08\x01"[..], 0x80));
        // Both directions of reflection stream; here the request ends first.
        let request = post(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "application/connect+json",
        );
        let answer = ask(&daemon, version, request, enveloped(br#"{"listServices": ""}"#)).await;
        let listed = json_of(&envelopes(bytes(answer))[0].1);
        assert!(listed.to_string().contains("dirty.v1.Arbiter"), "{listed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_a_stream_of_events_in_its_dialect() {
    let daemon = Daemon::start(APP).await;
    let request = post("/dirty.v1.Admin/WatchEvents", "application/connect+json");
    let watching = request.body(Full::new(enveloped(b"{}"))).expect("a request");
    let mut connection = http1(&daemon).await;
    let body = connection.send_request(watching).await.expect("an answer").into_body();
    daemon.signal(Signal::SIGTERM);
    let events = envelopes(body.collect().await.expect("an end").to_bytes());
    let (flag, end) = events.last().expect("an end");
    assert_eq!((*flag, &json_of(end)["error"]["code"]), (2, &json!("unavailable")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_on_a_connection_that_is_closed_meanwhile_is_told_that_it_was_not_read() {
    let mut daemon = Daemon::start(APP).await;
    let body = call("echo", [Value::from(7)]).encode_to_vec();
    let head = format!(
        "POST {EXECUTE} HTTP/1.1\r\nHost: d\r\nContent-Type: application/proto\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), &body].concat();
    let mut stream = UnixStream::connect(daemon.socket()).await.expect("connect");
    stream.write_all(&request).await.expect("sent");
    let mut answer = vec![0; 64 * 1024];
    let length = stream.read(&mut answer).await.expect("an answer");
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK\r\n"));
    daemon.signal(Signal::SIGTERM);
    daemon.ended().await;
    let _ = stream.write_all(&request).await;
    let mut rest = String::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut rest));
    let _ = read.await.expect("it ends");
    assert!(rest.starts_with("HTTP/1.1 408 "), "{rest}");
    assert!(rest.contains("connection: close\r\n") && rest.contains("was not read"), "{rest}");
    assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{rest}");
}
