//! HTTP/1.1 with keep-alive, one call at a time: the least that a client can do.

use anyhow::{Context as _, bail};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const HEAD_END: &[u8] = b"\r\n\r\n";

/// One connection.
pub struct Http {
    socket: TcpStream,
    request: Bytes,
    buffer: BytesMut,
}

impl Http {
    pub async fn connect(address: &str, path: &str, body: &[u8]) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n");
        let request = [head.as_bytes(), body].concat().into();
        Ok(Self { socket, request, buffer: BytesMut::new() })
    }

    /// Sends the request and reads the whole answer.
    pub async fn call(&mut self) -> anyhow::Result<()> {
        self.socket.write_all(&self.request).await?;
        let head = loop {
            if let Some(at) = self.buffer.windows(HEAD_END.len()).position(|at| at == HEAD_END) {
                break self.buffer.split_to(at + HEAD_END.len());
            }
            self.read().await?;
        };
        let head = std::str::from_utf8(&head)?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("no content-length")?.trim().parse()?;
        while self.buffer.len() < length {
            self.read().await?;
        }
        self.buffer.advance(length);
        if !head.starts_with("http/1.1 200") {
            bail!("{}", head.lines().next().unwrap_or_default());
        }
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(16 * 1024);
        if self.socket.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}
