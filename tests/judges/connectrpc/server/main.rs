//! The server that connectconformance starts and judges: its ConformanceService behind dirtyd's
//! edge. On stdin it reads what is asked of the server, on stdout it says where that is; then it
//! serves until TERM. Messages on both have their length in front, as four bytes.

use std::{
    error::Error,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixListener,
};

use dirtyd::internals::edge;
use prost::Message as _;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tonic::service::Routes;

#[path = "../../../support/loopback.rs"]
mod loopback;

mod service;
mod wanted;

use service::Conformance;

/// The messages of connectconformance.
mod proto {
    #![allow(clippy::all, dead_code, reason = "generated, and more than is used")]
    include!(concat!(env!("OUT_DIR"), "/connectrpc.conformance.v1.rs"));
    /// What they look like.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/judges.bin"));
}

/// The bytes that a message may have where nothing else is asked.
const DEFAULT_LIMIT: usize = 4 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let asked = asked()?;
    let limit = match asked.message_receive_limit {
        0 => DEFAULT_LIMIT,
        limit => limit as usize,
    };
    let dir = TempDir::with_prefix("conformance-")?;
    let path = dir.path().join("d.sock");
    let socket = UnixListener::bind(&path)?;
    socket.set_nonblocking(true)?;
    let service = Conformance { limit };
    let further = (Routes::new(service), proto::DESCRIPTORS.to_vec());
    let address = loopback::leading_to(path).await?;
    let (host, port) = (address.ip().to_string(), address.port().into());
    tell(&proto::ServerCompatResponse { host, port, ..Default::default() })?;
    tokio::select! {
        ended = edge::serve(socket, limit, further) => ended?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

fn asked() -> Result<proto::ServerCompatRequest, Box<dyn Error>> {
    let (mut stdin, mut length) = (io::stdin().lock(), [0; 4]);
    stdin.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stdin.read_exact(&mut message)?;
    Ok(proto::ServerCompatRequest::decode(message.as_slice())?)
}

fn tell(answer: &proto::ServerCompatResponse) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(&(answer.encoded_len() as u32).to_be_bytes())?;
    stdout.write_all(&answer.encode_to_vec())?;
    stdout.flush()
}
