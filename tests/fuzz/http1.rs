//! Connections of HTTP/1 against the whole edge.

use std::{cell::RefCell, time::Duration};

use dirtyd::internals::edge;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    runtime::{Builder, Runtime},
    sync::mpsc,
    time::timeout,
};

use crate::engine::Target;

/// What a connection may take whose client has said all, on a clock that waits for nobody.
const LIMIT: Duration = Duration::from_secs(3600);

#[test]
fn http1() {
    let words: &[&[u8]] = &[
        b"POST /dirty.v1.Arbiter/Execute HTTP/1.1\r\n",
        b"POST /dirty.v1.Arbiter/ExecuteStream HTTP/1.1\r\n",
        b"POST /grpc.health.v1.Health/Check HTTP/1.1\r\n",
        b"POST /v1/nobody:Nobody/act HTTP/1.1\r\n",
        b"GET /v1 HTTP/1.1\r\nhost: d\r\n\r\n",
        b"content-type: application/json\r\n",
        b"content-type: application/proto\r\n",
        b"content-type: application/connect+json\r\n",
        b"content-type: application/connect+proto\r\n",
        b"content-type: application/grpc-web-text\r\n",
        b"content-type: application/grpc-web+json\r\n",
        b"content-length: 2\r\n",
        b"transfer-encoding: chunked\r\n",
        b"connect-timeout-ms: 5\r\n",
        b"connection: close\r\n",
        b"expect: 100-continue\r\n",
        b"accept: text/event-stream\r\n",
        b"origin: https://shop.example\r\n",
        b"0\r\n\r\n",
        b"\r\n\r\n",
        b"{}",
        b"{\"app\":\"nobody:Nobody\",\"action\":\"act\"}",
        b"\0\0\0\0\x02{}",
    ];
    Target { name: "http1", words, check }.run();
}

/// The edge, and the way of connections to it.
type Serving = (Runtime, mpsc::Sender<tokio::io::DuplexStream>);

thread_local! {
    static EDGE: RefCell<Option<Serving>> = const { RefCell::new(None) };
}

fn start() -> Serving {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (sender, connections) = mpsc::channel(1);
    runtime.spawn(edge::serve_in_memory(connections));
    (runtime, sender)
}

/// Whatever a client sends, its connection ends, and it reads no more answers than it can
/// have sent requests.
fn check(sent: &[u8]) {
    EDGE.with_borrow_mut(|edge| {
        let (runtime, connections) = edge.get_or_insert_with(start);
        let answers = runtime.block_on(async {
            timeout(LIMIT, async {
                let (mut client, served) = duplex(sent.len().max(1));
                connections.send(served).await.expect("the edge serves");
                client.write_all(sent).await.expect("there is room");
                client.shutdown().await.expect("a stream in memory");
                let mut answers = Vec::new();
                let _ = client.read_to_end(&mut answers).await;
                answers
            })
            .await
        });
        let answers = String::from_utf8_lossy(&answers.expect("the connection ends")).into_owned();
        let answered = answers.matches("HTTP/1.1 ").count() - answers.matches(" 100 Conti").count();
        // Each request has a head, which ends with an empty line; one may end in the middle.
        let asked = sent.windows(2).filter(|two| two[0] == b'\n' && b"\r\n".contains(&two[1]));
        assert!(answered <= asked.count() + 1, "{answers}");
    });
}
