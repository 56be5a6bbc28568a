//! What real clients sent on a Unix socket: three unary calls each, recorded by a server that
//! answered them.

use super::server::{PROTOCOL_ERROR, repaired, unrepaired};
use super::splits::assert_same_in_any_pieces;

/// grpcio 1.85.1 (grpc-core), target `unix:/tmp/authority-capture/run/py.sock`: the name written
/// out, raw, percent-encoded.
const GRPCIO: &[u8] = include_bytes!("captures/grpcio-1.85.1.bin");
/// grpc-java 1.75.0 (netty, epoll), `DomainSocketAddress("/tmp/authority-capture/run/java.sock")`:
/// a static name, raw.
const GRPC_JAVA: &[u8] = include_bytes!("captures/grpc-java-1.75.0.bin");

#[tokio::test]
async fn calls_of_grpcio_are_served() {
    all_served(GRPCIO, [1, 3, 5], "tmp-2Fauthority-capture-2Frun-2Fpy.sock").await;
}

#[tokio::test]
async fn calls_of_grpc_java_are_served() {
    all_served(GRPC_JAVA, [3, 5, 7], "-tmp-authority-capture-run-java.sock").await;
}

async fn all_served(sent: &[u8], streams: [u32; 3], authority: &str) {
    let before = unrepaired(sent, 3).await;
    let after = repaired(sent, 3).await;
    for stream in streams {
        assert_eq!(before[&stream], Err(PROTOCOL_ERROR), "stream {stream}");
        assert_eq!(after[&stream].as_deref(), Ok(authority), "stream {stream}");
    }
    assert_same_in_any_pieces(sent);
}
