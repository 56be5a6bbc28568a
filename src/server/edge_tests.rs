//! The edge on a listener that is no Unix socket.

use std::{future::pending, pin::Pin};

use bytes::Bytes;
use dirtyd_client::proto::v1::{StatusRequest, StatusResponse, admin_client::AdminClient};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::{Mutex, mpsc},
    task::JoinHandle,
    time::Instant,
};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{
    super::{grpc::UnaryBody, lifetime::Activity, listener::Arrival},
    *,
};
use crate::{call::Peer, config::Raw, observe::Outlets, pool};

/// A listener in memory.
struct Wires(Mutex<mpsc::Receiver<Wire>>);

/// Its connections.
struct Wire {
    stream: DuplexStream,
    peer: Pin<Box<dyn Future<Output = Peer> + Send>>,
}

impl Listener for Wires {
    type Arrival = Wire;

    async fn accept(&self) -> io::Result<Wire> {
        match self.0.lock().await.recv().await {
            Some(wire) => Ok(wire),
            None => pending().await,
        }
    }
}

impl Arrival for Wire {
    type Stream = DuplexStream;

    async fn identify(self) -> io::Result<(DuplexStream, Peer)> {
        Ok((self.stream, self.peer.await))
    }
}

/// A served edge.
struct Served {
    wires: mpsc::Sender<Wire>,
    shared: Arc<Shared>,
    stop: tokio::sync::oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    fn start(change: impl FnOnce(&mut Config)) -> Self {
        let apps = vec!["app:App".parse().expect("a path")];
        let mut config = Config::from_raw(Raw::of_apps(apps)).expect("valid");
        config.pools[0].workers = 0;
        change(&mut config);
        let (pool, _) = pool::start(&config);
        let (wires, listener) = mpsc::channel(16);
        let unchanged = config.clone();
        let reload = ReloadConfig::new(move || Ok(unchanged.clone()));
        let edge =
            Edge::on(Wires(Mutex::new(listener)), &config, &pool, reload, Outlets::default(), None)
                .expect("an edge");
        let shared = Arc::clone(&edge.shared);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(edge.serve(
            async {},
            async { drop(stopped.await) },
            tokio::sync::mpsc::channel(1).1,
        ));
        Self { wires, shared, stop, task }
    }

    /// A client's end of a connection whose peer is known when `peer` resolves.
    async fn connect(&self, peer: impl Future<Output = Peer> + Send + 'static) -> DuplexStream {
        let (client, stream) = duplex(64 * 1024);
        assert!(self.wires.send(Wire { stream, peer: Box::pin(peer) }).await.is_ok());
        client
    }

    /// What a client gets that sends `bytes` and reads to the end.
    async fn ask(&self, peer: Peer, bytes: &[u8]) -> String {
        let mut client = self.connect(async { peer }).await;
        client.write_all(bytes).await.expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("text");
        answer
    }

    fn open(&self) -> u32 {
        self.shared.admission.open().count()
    }
}

/// Lets user 33 in, and nobody else.
fn listed(config: &mut Config) {
    let text = "allowed_uids = [33]\n[[app]]\npath = \"app:App\"".to_owned();
    let raw = Raw::from_text("dirtyd.toml".as_ref(), text).expect("valid");
    config.access = Config::from_raw(raw).expect("valid").access;
}

fn user(uid: u32) -> Peer {
    Peer::Process { uid, gid: uid, pid: None }
}

/// Asks for the status with a stock client of HTTP/2.
async fn status(client: DuplexStream) -> Result<StatusResponse, tonic::Status> {
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let mut sender = sender.clone();
        async move {
            let response: Result<http::Response<Incoming>, _> = sender.send_request(request).await;
            response
        }
    });
    let origin = http::Uri::from_static("http://localhost");
    let response = AdminClient::with_origin(service, origin).status(StatusRequest {}).await;
    response.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn any_listener_is_served_and_closed() {
    let served = Served::start(|_| {});
    let client = served.connect(async { Peer::Unknown }).await;
    let answer = status(client).await.expect("an answer");
    assert_eq!(answer.arbiter.expect("the arbiter").connections, 1);
    served.stop.send(()).expect("it serves");
    served.task.await.expect("no panic");
}

#[tokio::test]
async fn a_client_of_http_1_reads_what_the_socket_speaks() {
    let served = Served::start(|_| {});
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    let answer = served.ask(user(7), get("/").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"dirtyd\""), "{answer}");
    let answer = served.ask(user(7), get("/v1").as_bytes()).await;
    assert!(answer.contains("\"app\":\"app:App\""), "{answer}");
    let answer = served.ask(user(7), get("/dirty.v1.Arbiter/Execute").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("by POST"), "{answer}");
    let post = |kind: &str| {
        get("/dirty.v1.Arbiter/Execute").replace("GET", "POST").replace(
            "Connection",
            &format!("Content-Type: {kind}\r\nContent-Length: 0\r\nConnection"),
        )
    };
    let answer = served.ask(user(7), post("application/grpc").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 505 ") && answer.contains("HTTP/2"), "{answer}");
    let answer = served.ask(user(7), post("text/plain").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 415 ") && answer.contains("accept-post"), "{answer}");
    let answer = served.ask(user(7), get("/favicon.ico").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "no method of gRPC: {answer}");
    let two = [get("/v1").replace("close", "keep-alive"), get("/nothing")].concat();
    let answer = served.ask(user(7), two.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "one after the other: {answer}");
    assert_eq!(served.ask(user(7), b"\x16\x03\x01\x02\x00").await, "", "closed");
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http_1_that_has_rested_is_served_as_before() {
    let served = Served::start(|_| {});
    let mut client = served.connect(async { user(7) }).await;
    let request = "GET /v1 HTTP/1.1\r\nHost: d\r\n\r\n";
    let mut answer = [0; 4096];
    let mut ask = async |parts: &[&str]| {
        for part in parts {
            client.write_all(part.as_bytes()).await.expect("sent");
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let length = client.read(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    for parts in [&[request][..], &[request], &[&request[..9], &request[9..]], &[request, ""]] {
        let answer = ask(parts).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("app:App"), "{answer}");
    }
    // A head that does not come whole has its time from its first byte, and no more.
    let begun = Instant::now();
    for part in std::iter::once(&request[..20]).chain(std::iter::repeat_n("x", 9)) {
        let _ = client.write_all(part.as_bytes()).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("200"), "{rest:?}");
    assert!(begun.elapsed() < Duration::from_secs(130), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_refused_peer_reads_why_in_its_protocol() {
    let served = Served::start(listed);
    let answer = served.ask(user(34), b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("uid 34"), "{answer}");
    let refused = status(served.connect(async { Peer::Unknown }).await).await.expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert!(refused.message().contains("allowed_uids"), "{refused}");
    status(served.connect(async { user(33) }).await).await.expect("one that is on the list");
}

#[tokio::test]
async fn a_burst_of_connections_does_not_pass_the_limit() {
    let served = Served::start(|config| config.limits.max_connections = 2);
    let _open = [served.connect(async { user(7) }).await, served.connect(async { user(8) }).await];
    let answer = served.ask(user(9), b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("2 connections"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_opening_without_end_does_not_hold_its_connection() {
    let served = Served::start(|_| {});
    let start = Instant::now();
    let mut answers = tokio::task::JoinSet::new();
    for sent in [&b""[..], b"PRI * HTTP/2.0\r\n", b"GE"] {
        let mut client = served.connect(async { user(7) }).await;
        client.write_all(sent).await.expect("sent");
        answers.spawn(async move { client.read_to_end(&mut Vec::new()).await });
    }
    let mut nameless = served.connect(pending()).await;
    answers.spawn(async move { nameless.read_to_end(&mut Vec::new()).await });
    while let Some(read) = answers.join_next().await {
        assert_eq!(read.expect("no panic").expect("closed"), 0);
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(served.open(), 0, "the places are free again");
}

/// Clients of HTTP/2 go on writing while they read what they were sent; one whose
/// write fails drops the rest.
#[tokio::test]
async fn a_client_may_write_until_it_has_seen_the_end() {
    const PING: u8 = 6;
    let served = Served::start(|_| {});
    let mut client = served.connect(async { user(7) }).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    client.write_all(&settings).await.expect("sent");
    // It is served, before it is asked to end.
    let mut head = [0; 9];
    client.read_exact(&mut head).await.expect("its settings");
    client.read_exact(&mut vec![0; usize::from(head[2])]).await.expect("its settings");
    served.stop.send(()).expect("it serves");
    while client.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[2])];
        client.read_exact(&mut payload).await.expect("a frame");
        if (head[3], head[4]) == (PING, 0) {
            let answer = [&[0, 0, 8, PING, 1, 0, 0, 0, 0], &payload[..]].concat();
            client.write_all(&answer).await.expect("sent");
        }
    }
    client.write_all(&settings).await.expect("somebody still reads");
    drop(client);
    served.task.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_ends_and_one_that_waits_does_not() {
    const IDLE: Duration = Duration::from_secs(100);
    let served = Served::start(|config| config.limits.max_connection_idle = IDLE);
    // This one never answers a PING, so it does not see that it should end.
    let mut silent = served.connect(async { user(7) }).await;
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    silent.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("sent");
    let client = served.connect(async { user(8) }).await;
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(client)).await.expect("HTTP/2");
    let watched = tokio::spawn(connection);
    let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let origin = http::Uri::from_static("http://localhost");
    let mut health = HealthClient::with_origin(service, origin);
    let start = Instant::now();
    let everything = HealthCheckRequest::default();
    let watch = health.watch(everything).await.expect("watched");
    silent.read_to_end(&mut Vec::new()).await.expect("closed");
    assert!(start.elapsed() >= IDLE && start.elapsed() < IDLE * 2, "{:?}", start.elapsed());
    tokio::time::sleep(IDLE * 5).await;
    assert_eq!((served.open(), watched.is_finished()), (1, false), "it waits for news");
    drop((watch, health));
    watched.await.expect("no panic").expect("it ended in order");
}

/// The edge that closes waits for the answers that are still to come, as long as their
/// readers read.
#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_an_answer_that_is_being_read() {
    let served = Served::start(|_| {});
    let router = Arc::clone(&served.shared.router);
    let _outstanding = router.outstanding().begin();
    let mut client = served.connect(async { user(7) }).await;
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sent");
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.expect("sent");
    client.read_exact(&mut [0; 9]).await.expect("its settings: it is served");
    served.stop.send(()).expect("it serves");
    let mut task = served.task;
    for _ in 0..20 {
        // Somebody takes something.
        let message = UnaryBody::new(Bytes::from(vec![7; 9000]));
        let mut read = router.unread().watched(message, Activity::default().begin());
        read.frame().await.expect("a frame").expect("its head");
        let early = tokio::time::timeout(READERS_STALL / 2, &mut task).await;
        assert!(early.is_err(), "it did not wait");
    }
    let late = tokio::time::timeout(READERS_STALL * 2, &mut task).await;
    late.expect("nobody reads").expect("no panic");
    drop(client);
}
