//! Frames of HTTP/2 that carry nothing: whoever floods with them is told to calm down,
//! and nobody else notices.

use dirtyd_client::{Value, args};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    task::JoinSet,
};

use crate::support::Daemon;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// GOAWAY with ENHANCE_YOUR_CALM: its kind, flags, stream, last stream and code.
const ENHANCE_YOUR_CALM: &[u8] = &[7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];

const FLOODS: [(&str, &[u8]); 4] = [
    ("SETTINGS", &[0, 0, 0, 4, 0, 0, 0, 0, 0]),
    ("PING", &[0, 0, 8, 6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ("PRIORITY", &[0, 0, 5, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0, 1]),
    ("WINDOW_UPDATE", &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
];

/// Floods a connection until it is closed. Returns what came back.
async fn flood(socket: std::path::PathBuf, frame: &[u8]) -> Vec<u8> {
    let stream = UnixStream::connect(socket).await.expect("it listens");
    let (mut read, mut write) = stream.into_split();
    let flood = frame.repeat(1000);
    let writing = async {
        let _ = write.write_all(PREFACE).await;
        while write.write_all(&flood).await.is_ok() {}
    };
    let reading = async {
        let mut said = Vec::new();
        let _ = read.read_to_end(&mut said).await;
        said
    };
    tokio::join!(writing, reading).1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_floods_is_told_to_calm_down() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    for (kind, frame) in FLOODS {
        let said = flood(daemon.socket(), frame).await;
        let told = said.windows(ENHANCE_YOUR_CALM.len()).any(|part| part == ENHANCE_YOUR_CALM);
        assert!(told, "{kind}: {said:?}");
    }
    daemon.logged("is closed: it sent more frames that carry nothing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_many_that_flood_calls_are_served() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let mut floods = JoinSet::new();
    for number in 0..100 {
        let socket = daemon.socket();
        floods.spawn(async move {
            let (_, frame) = FLOODS[number % FLOODS.len()];
            flood(socket, frame).await
        });
    }
    while !floods.is_empty() {
        let answer = daemon.client().execute("lab:Lab", "echo", args![7]).await;
        assert_eq!(answer.expect("it is served"), Value::from(7));
        let _ = floods.join_next().await;
    }
}
