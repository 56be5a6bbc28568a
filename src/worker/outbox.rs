//! The way to a worker: frames that wait for room in its socket, and how many of
//! its requests the socket has taken.

use std::{collections::VecDeque, io};

use bytes::Bytes;

use dirtyd_client::{
    frames::FrameWriter,
    proto::worker::{ArbiterFrame, Request, arbiter_frame},
};

/// The field of `ArbiterFrame` that is a Request.
const REQUEST: u32 = 4;

/// Writes frames to a worker.
#[derive(Debug)]
pub struct Outbox {
    writer: FrameWriter,
    /// Where each request that is not written in full begins and ends in the
    /// stream of bytes; oldest first.
    requests: VecDeque<(u64, u64)>,
    written: u64,
}

impl Outbox {
    /// An outbox with nothing to write.
    pub fn new(writer: FrameWriter) -> Self {
        Self { writer, requests: VecDeque::new(), written: 0 }
    }

    /// Queues a frame.
    pub fn push(&mut self, kind: arbiter_frame::Kind) {
        self.writer.push(&ArbiterFrame { kind: Some(kind) });
    }

    /// Queues a Request, with its payload apart.
    pub fn push_request(&mut self, head: &Request, payload: &Bytes) {
        let begins = self.writer.queued();
        let ends = self.writer.push_payload(REQUEST, head, payload.clone());
        self.requests.push_back((begins, ends));
    }

    /// Whether anything waits to be written.
    pub fn is_pending(&self) -> bool {
        self.writer.is_pending()
    }

    /// Writes what the socket takes now. Returns the number of requests that it
    /// has taken in full since the start, if that has changed.
    ///
    /// # Errors
    /// The socket failed.
    pub fn write_now(&mut self) -> io::Result<Option<u64>> {
        self.writer.write_now()?;
        let before = self.written;
        Ok(Some(self.written()).filter(|written| *written > before))
    }

    /// Waits until the socket takes more, and writes. Cancel safe.
    ///
    /// # Errors
    /// The socket failed.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().await
    }

    /// The number of requests that the socket has taken in full since the start.
    pub fn written(&mut self) -> u64 {
        let written = self.writer.written();
        while self.requests.front().is_some_and(|(_, ends)| *ends <= written) {
            self.requests.pop_front();
            self.written += 1;
        }
        self.written
    }

    /// The number of requests of which the socket has taken at least one byte.
    pub fn begun(&mut self) -> u64 {
        let written = self.writer.written();
        let in_part = |(begins, _): &&(u64, u64)| *begins < written;
        self.written() + self.requests.iter().take_while(in_part).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dirtyd_client::system::Socket;
    use tokio::{io::AsyncReadExt as _, net::UnixStream};

    #[tokio::test]
    async fn requests_count_as_begun_and_written_as_the_socket_takes_them() {
        let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
        let socket = Socket::new(ours.into_std().expect("not in use")).expect("socket");
        let (_reader, writer) = socket.into_split();
        let mut outbox = Outbox::new(FrameWriter::new(writer));
        let huge = Bytes::from(vec![0; 16 << 20]);
        for payload in [Bytes::new(), huge, Bytes::new()] {
            outbox.push_request(&Request::default(), &payload);
        }
        assert_eq!(outbox.write_now().expect("room"), Some(1));
        assert_eq!((outbox.begun(), outbox.written()), (2, 1), "the huge one is begun");
        let reading = tokio::spawn(async move {
            let mut bytes = Vec::new();
            theirs.read_to_end(&mut bytes).await.expect("read");
        });
        while outbox.is_pending() {
            outbox.flush().await.expect("room");
        }
        assert_eq!((outbox.begun(), outbox.written()), (3, 3));
        drop((outbox, _reader));
        reading.await.expect("reader");
    }
}
