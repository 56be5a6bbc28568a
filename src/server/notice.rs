//! What a client of HTTP/1 gets whose connection is refused: one error, as any call gets it.

use std::io;

use http::StatusCode;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::{
    admission::Refusal,
    status::{self, HttpError},
};

/// The error.
#[derive(Debug)]
pub struct Notice {
    status: StatusCode,
    error: HttpError,
}

impl Notice {
    /// The connection is not served at all.
    pub fn refused(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::PeerNotAllowed(_) => StatusCode::FORBIDDEN,
            Refusal::TooManyConnections(_) | Refusal::TooManyOfUser { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self { status, error: HttpError::of(&status::of_refusal(refusal)) }
    }

    /// Answers the request that begins with `request`, and closes. The answer
    /// to HEAD has no body.
    ///
    /// # Errors
    /// The client does not take the answer.
    pub async fn send<S>(self, request: &[u8], mut stream: S) -> io::Result<()>
    where
        S: AsyncWrite + Unpin,
    {
        let Self { status, error } = self;
        let text = error.text() + "\n";
        let retry_after = match error.retry_after() {
            Some(seconds) => format!("retry-after: {seconds}\r\n"),
            None => String::new(),
        };
        let mut answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{retry_after}connection: close\r\n\r\n",
            text.len()
        );
        if !request.starts_with(b"HEAD ") {
            answer.push_str(&text);
        }
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::{call::Peer, server::linger::LingeringClose};

    /// What a client gets that sends `request` and then waits for the answer.
    async fn answer(notice: Notice, request: &[u8]) -> String {
        let (mut client, server) = tokio::io::duplex(64);
        let server = LingeringClose::new(server, std::time::Duration::from_secs(60));
        let ask = async {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("text");
            // Only now the rest of its request, which nobody wants.
            client.write_all(&[b'x'; 1000]).await.expect("somebody still reads");
            drop(client);
            answer
        };
        let (answer, sent) = tokio::join!(ask, notice.send(request, server));
        sent.expect("the client reads");
        answer
    }

    #[tokio::test]
    async fn the_answer_to_head_has_no_body() {
        let notice = Notice::refused(&Refusal::TooManyConnections(7));
        let answer = answer(notice, b"HEAD / HTTP/1.1\r\n").await;
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_refusal_has_its_status() {
        let nobody = Notice::refused(&Refusal::PeerNotAllowed(Peer::Unknown));
        assert!(answer(nobody, b"GET ").await.starts_with("HTTP/1.1 403 "));
        let full = answer(Notice::refused(&Refusal::TooManyConnections(7)), b"GET ").await;
        assert!(full.starts_with("HTTP/1.1 503 ") && full.contains("7 connections"), "{full}");
        assert!(full.contains("TOO_MANY_CONNECTIONS") && full.contains("retry-after: 1"), "{full}");
        let (head, text) = full.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("content-length: {}", text.len())), "{head}");
    }
}
