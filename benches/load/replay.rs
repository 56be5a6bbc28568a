//! gunicorn's dirty protocol, as far as a load generator needs it: a request
//! that gunicorn's own client encoded is sent again and again; of the answers
//! only the 16 bytes of their heads are read.

use std::path::Path;

use anyhow::bail;
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

const HEAD: usize = 16;
const RESPONSE: u8 = 2;
const CHUNK: u8 = 4;
const END: u8 = 5;

/// One connection.
pub struct Replay {
    socket: UnixStream,
    request: Bytes,
    body: Vec<u8>,
}

impl Replay {
    /// Waits for a place in the server's backlog, as gunicorn's own client does:
    /// of 256 callers more come at once than asyncio's 100 places hold, and a
    /// connect that does not block fails then with EAGAIN.
    pub async fn connect(socket: &Path, request: Bytes) -> anyhow::Result<Self> {
        let path = socket.to_owned();
        let connect = move || std::os::unix::net::UnixStream::connect(path);
        let socket = tokio::task::spawn_blocking(connect).await??;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixStream::from_std(socket)?, request, body: Vec::new() })
    }

    /// Sends the request and reads to its last answer.
    pub async fn call(&mut self, mut on_chunk: impl FnMut()) -> anyhow::Result<()> {
        self.socket.write_all(&self.request).await?;
        loop {
            let mut head = [0; HEAD];
            self.socket.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            self.body.resize(length as usize, 0);
            self.socket.read_exact(&mut self.body).await?;
            match head[3] {
                RESPONSE | END => return Ok(()),
                CHUNK => on_chunk(),
                _ => bail!("an error: {}", String::from_utf8_lossy(&self.body)),
            }
        }
    }
}
