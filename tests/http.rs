//! Plain HTTP with JSON, as curl and other programs of HTTP/1 speak it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::support::{Daemon, LIMIT};

const APP: &str = "[[app]]\npath = \"lab:Lab\"";

/// curl's command for a path, with its answers in these forms.
fn curl(daemon: &Daemon, path: &str, arguments: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--unix-socket"]).arg(daemon.socket());
    curl.args(arguments).arg(format!("http://d{path}"));
    curl
}

/// The status and the body of an answer.
async fn ask(daemon: &Daemon, path: &str, arguments: &[&str]) -> (u16, String) {
    let arguments = [&["--write-out", "\n%{http_code}"], arguments].concat();
    let mut curl = curl(daemon, path, &arguments);
    let run = tokio::task::spawn_blocking(move || curl.output().expect("curl runs"));
    let output = run.await.expect("no panic");
    let text = String::from_utf8(output.stdout).expect("text");
    let (body, status) = text.rsplit_once('\n').expect("a status");
    let status = status.parse().expect("a number");
    assert_ne!(status, 0, "{}", String::from_utf8_lossy(&output.stderr));
    (status, body.to_owned())
}

/// The result of an action, with a body if there is one.
async fn result(daemon: &Daemon, action: &str, body: Option<&str>) -> (u16, Json) {
    let body = body.map(|body| ["-d", body]);
    let arguments = body.as_ref().map_or(&[][..], |body| body);
    let (status, text) = ask(daemon, &format!("/v1/lab:Lab/{action}"), arguments).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

/// What a connection answers to these bytes until it is closed.
async fn raw(daemon: &Daemon, bytes: &str) -> String {
    let mut stream = UnixStream::connect(daemon.socket()).await.expect("connect");
    stream.write_all(bytes.as_bytes()).await.expect("write");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_calls_an_action() {
    let daemon = Daemon::start(APP).await;
    for (body, found) in [
        (None, json!(null)),
        (Some(r#"{"args": ["hi"]}"#), json!("hi")),
        (Some(r#"["hi"]"#), json!("hi")),
        (
            Some(r#"{"kwargs": {"value": [1, 2.5, null, true, "ü", {"a": {}}]}}"#),
            json!([1, 2.5, null, true, "ü", {"a": {}}]),
        ),
        (Some(r#"[{"$bytes": "AP8="}]"#), json!({"$bytes": "AP8="})),
        (Some(r#"[9007199254740993]"#), json!(9_007_199_254_740_993_i64)),
        (Some(r#"[{"$double": "NaN"}]"#), json!({"$double": "NaN"})),
    ] {
        assert_eq!(result(&daemon, "echo", body).await, (200, found), "{body:?}");
    }
    let tensor = result(&daemon, "array", Some(r#"["int32", 4]"#)).await.1;
    assert_eq!(tensor["$tensor"]["dtype"], "int32", "{tensor}");
    assert_eq!(result(&daemon, "doubled", Some(&format!("[{tensor}]"))).await.0, 200);
    let (status, body) =
        ask(&daemon, "/v1/lab%3aLab/echo", &["-d", "[1]", "--http2-prior-knowledge"]).await;
    assert_eq!((status, body.as_str()), (200, "1"), "over HTTP/2");
    let (status, body) = ask(&daemon, "/v1/lab:Lab/facts", &["-H", "x-request-id: r7"]).await;
    assert!(status == 200 && body.contains("r7"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_streams_lines_and_events() {
    let daemon = Daemon::start(APP).await;
    let stream = async |action: &str, body: &str, accept: &str| {
        let accept = format!("accept: {accept}");
        ask(&daemon, &format!("/v1/lab:Lab/{action}"), &["-N", "-d", body, "-H", &accept]).await
    };
    let lines = stream("count", "[3]", "application/jsonl").await;
    assert_eq!(lines, (200, "0\n1\n2\n".to_owned()));
    let events = stream("count", "[2]", "text/event-stream").await;
    assert_eq!(events.1, "data: 0\n\ndata: 1\n\nevent: end\ndata: null\n\n");
    assert_eq!(
        stream("echo", "[7]", "application/jsonl").await.1,
        "7\n",
        "one that does not stream"
    );
    let failed = stream("fail_after", "[1]", "application/jsonl").await.1;
    let error: Json =
        serde_json::from_str(failed.strip_prefix("0\n").expect("a chunk")).expect("JSON");
    assert_eq!(error["$error"]["reason"], "APP_ERROR");
    let (status, body) = stream("nonesuch", "", "text/event-stream").await;
    assert!(status == 404 && body.contains("ACTION_NOT_FOUND"), "before its first chunk: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_curl_closes_the_generator() {
    let daemon = Daemon::start(APP).await;
    for action in ["ticks", "ticks_async"] {
        let body = format!("[\"{action}\"]");
        let arguments = ["-N", "-d", &body, "-H", "accept: text/event-stream"];
        let mut curl = curl(&daemon, &format!("/v1/lab:Lab/{action}"), &arguments);
        let mut curl = curl.stdout(Stdio::piped()).spawn().expect("curl runs");
        let mut events = BufReader::new(curl.stdout.take().expect("piped")).lines();
        assert!(events.next().expect("an event").expect("text").starts_with("data: "));
        curl.kill().expect("it runs");
        curl.wait().expect("it ends");
        daemon.seen(&format!("{action}.closed")).await;
    }
    // One that waits for its result.
    let mut curl =
        curl(&daemon, "/v1/lab:Lab/patient", &["-d", "[\"p\"]"]).spawn().expect("curl runs");
    daemon.until("it runs", |status| status.workers[0].in_flight == 1).await;
    curl.kill().expect("it runs");
    curl.wait().expect("it ends");
    daemon.until("it is told", |status| status.workers[0].in_flight == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_the_status_of_http_and_their_reason() {
    let config = format!("max_message_size = \"64KiB\"\n{APP}");
    let daemon = Daemon::start(&config).await;
    for (action, body, status, reason) in [
        ("nonesuch", "", 404, "ACTION_NOT_FOUND"),
        ("init", "", 404, "ACTION_NOT_FOUND"),
        ("count", "[3]", 406, "ACTION_STREAMS"),
        ("fail", "[\"no row\"]", 500, "APP_ERROR"),
        ("choose", "[5]", 404, "APP_ERROR"),
        ("unserialisable", "", 500, "RESULT_NOT_SERIALIZABLE"),
        ("blob", "[100000]", 413, "MESSAGE_TOO_LARGE"),
        ("echo", "[1,", 400, "INVALID_REQUEST"),
        ("echo", "{\"arg\": [1]}", 400, "INVALID_REQUEST"),
        ("die", "", 502, "WORKER_CRASHED"),
    ] {
        let (found, error) = result(&daemon, action, Some(body)).await;
        assert_eq!((found, &error["reason"]), (status, &json!(reason)), "{action}: {error}");
        daemon.ready().await;
    }
    let large = format!("[\"{}\"]", "x".repeat(70_000));
    std::fs::write(daemon.path("large"), large).expect("a file");
    let large = format!("@{}", daemon.path("large").display());
    let (status, error) = result(&daemon, "echo", Some(&large)).await;
    assert_eq!((status, &error["reason"]), (413, &json!("MESSAGE_TOO_LARGE")));
    let (status, body) = ask(&daemon, "/v1/lab:Nobody/echo", &[]).await;
    assert!(status == 404 && body.contains("APP_NOT_FOUND"), "{body}");
    let (status, _) = ask(&daemon, "/v1/lab:Lab/echo", &["-F", "a=b"]).await;
    assert_eq!(status, 400, "a form with parts");
    let late =
        ask(&daemon, "/v1/lab:Lab/patient", &["-d", "[\"l\"]", "-H", "x-timeout: 100ms"]).await;
    assert!(late.0 == 504 && late.1.contains("EXECUTION_TIMEOUT"), "{late:?}");
    let (status, body) = ask(&daemon, "/v1/lab:Lab/echo", &["-H", "x-timeout: soon"]).await;
    assert!(status == 400 && body.contains("x-timeout"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_http_1_are_kept_pipelined_and_bounded() {
    let config = format!("request_timeout = \"1s\"\nmax_header_size = \"8KiB\"\n{APP}");
    let daemon = Daemon::start(&config).await;
    let post = |body: &str, more: &str| {
        let length = body.len();
        format!(
            "POST /v1/lab:Lab/echo HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n{more}\r\n{body}"
        )
    };
    let three = [post("[1]", ""), post("[2]", ""), post("[3]", "Connection: close\r\n")].concat();
    let answer = raw(&daemon, &three).await;
    let at = |text: &str| answer.find(text).unwrap_or_else(|| panic!("{text:?} in {answer}"));
    assert!(["\r\n\r\n1", "\r\n\r\n2", "\r\n\r\n3"].map(at).is_sorted(), "in order: {answer}");
    let chunked = "POST /v1/lab:Lab/echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\n[\r\n2\r\n5]\r\n0\r\n\r\n";
    assert!(raw(&daemon, chunked).await.ends_with("\r\n\r\n5"));
    let expecting = post("[6]", "Expect: 100-continue\r\nConnection: close\r\n");
    assert!(
        raw(&daemon, &expecting).await.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    );
    let long = raw(&daemon, &post("[]", &format!("X: {}\r\n", "x".repeat(20_000)))).await;
    assert!(long.contains(" 413 ") && long.contains("max_header_size"), "{long}");
    let longer = raw(&daemon, &post("[]", &format!("X: {}\r\n", "x".repeat(200_000)))).await;
    assert!(longer.starts_with("HTTP/1.1 431 "), "{longer}");
    let unfinished = post("[7]", "").replace("Content-Length: 3", "Content-Length: 30");
    assert!(raw(&daemon, &unfinished).await.contains("REQUEST_TIMEOUT"));
    assert_eq!(raw(&daemon, "POST /v1/lab:Lab/echo HTTP/1.1\r\nHost").await, "", "half a head");
}

/// What two servers in a row could understand differently is understood by none.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_hides_another_is_refused() {
    let daemon = Daemon::start(APP).await;
    let hidden = "POST /v1/lab:Lab/touch HTTP/1.1\r\nHost: d\r\nContent-Length: 7\r\n\r\n[\"ran\"]";
    for head in [
        "Content-Length: 3\r\nContent-Length: 5\r\n",
        "Content-Length: 3, 5\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: 3 \u{b}\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
    ] {
        let request = format!("POST /v1/lab:Lab/echo HTTP/1.1\r\nHost: d\r\n{head}\r\n[1]{hidden}");
        let answer = raw(&daemon, &request).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count().min(1), answer.matches("HTTP/1.1 ").count());
    }
    for chunk in ["z\r\n[1]", "3;\n[1]\r\n0\r\n\r\n", "-3\r\n[1]\r\n", "fffffffffffffffff\r\n[1]"] {
        let head = "POST /v1/lab:Lab/echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n";
        let answer = raw(&daemon, &format!("{head}\r\n{chunk}{hidden}")).await;
        assert!(!answer.contains(" 200 "), "{chunk:?}: {answer}");
    }
    assert!(!daemon.path("ran").exists(), "no hidden request was run");
    assert_eq!(result(&daemon, "echo", Some("[1]")).await, (200, json!(1)), "others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_call_by_curl_finish() {
    let mut daemon = Daemon::start(APP).await;
    let curl = curl(&daemon, "/v1/lab:Lab/hold", &["-d", "[\"door\", 7]"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    daemon.seen("door.started").await;
    daemon.signal(Signal::SIGTERM);
    daemon.logged("drain").await;
    daemon.touch("door");
    assert_eq!(curl.wait_with_output().expect("it ends").stdout, b"7");
    assert!(daemon.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_call_if_their_origin_is_listed() {
    let daemon = Daemon::start(&format!("cors_origins = [\"https://shop.example\"]\n{APP}")).await;
    let path = "/v1/lab:Lab/echo";
    let from = async |origin: &str, more: &[&str]| {
        let origin = format!("origin: {origin}");
        let arguments =
            [&["-i", "-d", "[7]", "-H", &origin, "-H", "sec-fetch-site: cross-site"], more]
                .concat();
        ask(&daemon, path, &arguments).await
    };
    let (status, answer) = from("https://shop.example", &[]).await;
    assert!(status == 200 && answer.ends_with("\r\n\r\n7"), "{answer}");
    assert!(answer.contains("access-control-allow-origin: https://shop.example\r\n"), "{answer}");
    assert!(answer.contains("access-control-expose-headers: *\r\n"), "{answer}");
    let (status, answer) = from("https://other.example", &[]).await;
    assert!(status == 403 && answer.contains("ORIGIN_NOT_ALLOWED"), "{answer}");
    assert!(
        answer.contains("https://other.example") && answer.contains("cors_origins"),
        "{answer}"
    );

    // Before it sends what is not simple, a browser asks.
    for path in [path, "/dirty.v1.Arbiter/Execute"] {
        let arguments = [
            "-i",
            "-X",
            "OPTIONS",
            "-H",
            "origin: https://shop.example",
            "-H",
            "access-control-request-method: POST",
            "-H",
            "access-control-request-headers: content-type,connect-protocol-version",
        ];
        let (status, answer) = ask(&daemon, path, &arguments).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("access-control-allow-methods: GET,POST\r\n"), "{answer}");
        assert!(answer.contains("content-type,connect-protocol-version"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_end_of_a_request_says_that_the_connection_closes() {
    let daemon = Daemon::start(APP).await;
    const EXECUTE: &str = "/dirty.v1.Arbiter/Execute";
    const ECHO: &str = "/v1/lab:Lab/echo";
    for (path, content, headers, length) in [
        (ECHO, "application/json", "", 1_000_000_000),
        (ECHO, "application/json", "x-timeout: no\r\n", 5),
        (ECHO, "application/json", "content-encoding: gzip\r\n", 5),
        (EXECUTE, "application/proto", "", 1_000_000_000),
        (EXECUTE, "application/proto", "content-encoding: gzip\r\n", 5),
        (EXECUTE, "application/proto", "connect-timeout-ms: no\r\n", 5),
        ("/dirty.v1.Arbiter/Nothing", "application/proto", "", 5),
        ("/dirty.v1.Arbiter/Nothing", "application/connect+proto", "", 5),
        ("/dirty.v1.Arbiter/Nothing", "application/grpc-web+proto", "", 5),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: d\r\ncontent-type: {content}\r\n{headers}\
             content-length: {length}\r\n\r\n"
        );
        let answer = raw(&daemon, &head).await;
        let said = answer.split("\r\n\r\n").next().expect("a head").to_lowercase();
        assert!(said.contains("connection: close"), "{head}{answer}");
    }
}
