//! The way to the judged is itself judged: it changes nothing.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixListener},
};

use crate::{loopback, support::LIMIT};

/// More than the buffers of both sockets hold.
const MUCH: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn passes_all_bytes_and_each_end() {
    let dir = tempfile::tempdir().expect("directory");
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.expect("all, and the end");
        stream.write_all(&got).await.expect("the other half is open");
        got.len()
    });
    let address = loopback::leading_to(socket).await.expect("a port");
    let sent: Vec<u8> = (0..MUCH).map(|n| n as u8).collect();
    let asked = async {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(&sent).await.expect("room");
        stream.shutdown().await.expect("one half ends");
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.expect("all, and the end");
        assert!(got == sent);
        assert_eq!(echo.await.expect("no panic"), MUCH);
    };
    tokio::time::timeout(LIMIT, asked).await.expect("an end");
}
