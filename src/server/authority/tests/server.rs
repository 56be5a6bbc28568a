//! A real h2 server, with or without the repair in front of it, and what it makes of a client's
//! bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use super::super::AuthorityRepair;

/// What became of each stream: the authority that the server saw, or the code of its refusal.
pub type Outcomes = BTreeMap<u32, Result<String, u32>>;

pub const PROTOCOL_ERROR: u32 = 1;

/// Sends the bytes through the repair, and waits until the server has answered or refused so many
/// streams.
pub async fn repaired(sent: &[u8], streams: usize) -> Outcomes {
    let (client, server) = duplex(1 << 16);
    talk(client, AuthorityRepair::new(server, BytesMut::new()), sent, streams).await
}

/// The same without the repair.
pub async fn unrepaired(sent: &[u8], streams: usize) -> Outcomes {
    let (client, server) = duplex(1 << 16);
    talk(client, server, sent, streams).await
}

async fn talk<IO>(client: DuplexStream, server: IO, sent: &[u8], streams: usize) -> Outcomes
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut outcomes = Outcomes::new();
    let refused = {
        let (mut from_server, mut to_server) = tokio::io::split(client);
        let client = async {
            let (sending, refused) =
                tokio::join!(to_server.write_all(sent), replies(&mut from_server, streams));
            sending.unwrap();
            refused
        };
        let both = async {
            tokio::select! {
                refused = client => refused,
                () = serve(server, &mut outcomes) => panic!("the server closed the connection"),
            }
        };
        timeout(Duration::from_secs(20), both).await.expect("all streams are answered or refused")
    };
    outcomes.extend(refused.into_iter().map(|(stream, code)| (stream, Err(code))));
    outcomes
}

async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(io: IO, seen: &mut Outcomes) {
    let mut connection = h2::server::handshake(io).await.unwrap();
    while let Some(accepted) = connection.accept().await {
        let Ok((request, mut respond)) = accepted else { return };
        let authority = request.uri().authority().map_or("(none)", |authority| authority.as_str());
        seen.insert(respond.stream_id().as_u32(), Ok(authority.to_owned()));
        respond.send_response(Response::new(()), true).unwrap();
    }
}

/// Reads until so many streams have had a response or a reset; returns the resets.
async fn replies(server: &mut (impl AsyncRead + Unpin), streams: usize) -> Vec<(u32, u32)> {
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;
    let (mut answered, mut refused) = (0, Vec::new());
    while answered + refused.len() < streams {
        let mut head = [0; 9];
        server.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        server.read_exact(&mut payload).await.unwrap();
        match head[3] {
            HEADERS => answered += 1,
            RST_STREAM => refused.push((word(&head[5..]), word(&payload))),
            GOAWAY => panic!("the server gave the connection up: {payload:?}"),
            _ => {}
        }
    }
    refused
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}
