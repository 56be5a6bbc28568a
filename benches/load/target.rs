//! The systems that can be called, behind one face.

use std::{path::PathBuf, str::FromStr};

use anyhow::Context as _;
use dirtyd_client::{Client, Stream, Value};

use crate::{http::Http, replay::Replay};

/// A system, as the command line names it.
#[derive(Debug, Clone)]
pub enum Target {
    /// dirtyd, or anything else that serves `dirty.v1.Arbiter`.
    Dirtyd(PathBuf),
    /// Anything on a Unix socket: recorded requests are sent, gunicorn's frames read.
    Replay { socket: PathBuf, request: PathBuf },
    /// An HTTP server; the arguments are posted.
    Http { address: String, path: String },
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["dirtyd", socket] => Ok(Self::Dirtyd(socket.into())),
            ["replay", socket, file] => {
                Ok(Self::Replay { socket: socket.into(), request: file.into() })
            }
            ["http", host, port, path] => {
                Ok(Self::Http { address: format!("{host}:{port}"), path: path.into() })
            }
            _ => Err(format!("`{text}` names no target")),
        }
    }
}

/// What to ask for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub app: String,
    pub action: String,
    pub args: Vec<Value>,
}

/// One caller. There are at most some hundreds.
#[allow(clippy::large_enum_variant)]
pub enum Caller {
    Dirtyd { client: Client, ask: Ask },
    Replay(Replay),
    Http(Http),
}

impl Target {
    /// So many callers, ready to call.
    pub async fn callers(
        &self,
        count: usize,
        connections: usize,
        ask: Ask,
    ) -> anyhow::Result<Vec<Caller>> {
        let mut callers = Vec::with_capacity(count);
        match self {
            Self::Dirtyd(socket) => {
                let clients: Vec<Client> =
                    (0..connections.max(1)).map(|_| Client::connect(socket)).collect();
                callers.extend(
                    clients
                        .iter()
                        .cycle()
                        .take(count)
                        .map(|client| Caller::Dirtyd { client: client.clone(), ask: ask.clone() }),
                );
            }
            Self::Replay { socket, request } => {
                let request = bytes::Bytes::from(std::fs::read(request)?);
                for _ in 0..count {
                    callers.push(Caller::Replay(Replay::connect(socket, request.clone()).await?));
                }
            }
            Self::Http { address, path } => {
                let body = http_body(&ask);
                for _ in 0..count {
                    callers.push(Caller::Http(Http::connect(address, path, &body).await?));
                }
            }
        }
        Ok(callers)
    }
}

/// A line with the action and its integers, then the bytes: see mosec_server.py.
fn http_body(ask: &Ask) -> Vec<u8> {
    let (mut line, mut bytes) = (ask.action.clone(), bytes::Bytes::new());
    for arg in &ask.args {
        match arg {
            Value::Bytes(value) => bytes = value.clone(),
            other => line.extend(other.as_int().map(|int| format!(" {int}"))),
        }
    }
    [line.as_bytes(), b"\n", &bytes].concat()
}

impl Caller {
    /// One call, to its result.
    pub async fn call(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Dirtyd { client, ask } => {
                client.execute(&ask.app, &ask.action, ask.args.clone()).await?;
                Ok(())
            }
            Self::Replay(replay) => replay.call(|| ()).await,
            Self::Http(http) => http.call().await,
        }
    }

    /// One stream, to its end; `on_chunk` hears of each chunk.
    pub async fn stream(&mut self, mut on_chunk: impl FnMut()) -> anyhow::Result<()> {
        match self {
            Self::Dirtyd { client, ask } => {
                let mut stream = client.stream(&ask.app, &ask.action, ask.args.clone()).await?;
                while let Some(chunk) = stream.next().await {
                    chunk?;
                    on_chunk();
                }
                Ok(())
            }
            Self::Replay(replay) => replay.call(on_chunk).await,
            Self::Http(_) => anyhow::bail!("HTTP targets do not stream"),
        }
    }
}

/// Opens a stream per caller, all at once, and reads the first chunk of each.
pub async fn hold(callers: Vec<Caller>) -> anyhow::Result<Vec<Stream>> {
    let opening: Vec<_> = (callers.into_iter())
        .map(|caller| {
            tokio::spawn(async move {
                let Caller::Dirtyd { client, ask } = caller else {
                    anyhow::bail!("only dirtyd's streams are held");
                };
                let mut stream = client.stream(&ask.app, &ask.action, ask.args).await?;
                stream.next().await.context("the stream ended")??;
                Ok(stream)
            })
        })
        .collect();
    let mut held = Vec::with_capacity(opening.len());
    for stream in opening {
        held.push(stream.await??);
    }
    Ok(held)
}
