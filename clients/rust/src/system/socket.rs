//! A Unix stream socket that wakes its task only for what the task waits for.
//!
//! tokio's own socket is registered for reading and writing alike. On a Unix
//! socket the kernel reports "writable" whenever the *peer reads*: each message
//! sent would cost its sender a second wake-up, as dear as that of the answer,
//! and for nothing. This one is registered for reading; for writing only while
//! a write waits for room.

use std::{
    cell::Cell,
    io::{self, IoSlice, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    time::{Sleep, sleep},
};

/// Both directions of a socket.
#[derive(Debug)]
pub struct Socket {
    read: SocketReader,
    write: SocketWriter,
}

/// The direction towards this process.
#[derive(Debug)]
pub struct SocketReader {
    socket: AsyncFd<Arc<UnixStream>>,
}

/// The direction to the peer.
#[derive(Debug)]
pub struct SocketWriter {
    socket: Arc<UnixStream>,
    /// There only while a write waits.
    room: Option<Room>,
}

/// How a write waits for room.
#[derive(Debug)]
enum Room {
    /// The reactor tells, by a second descriptor of the socket.
    Told(AsyncFd<Arc<UnixStream>>),
    /// There is no descriptor left for that: the write is tried again.
    TriedAgain(Pin<Box<Sleep>>),
}

/// How soon a write is tried again.
const AGAIN: Duration = Duration::from_millis(1);

impl Room {
    fn of(second: io::Result<UnixStream>) -> io::Result<Self> {
        match second {
            Ok(second) => register(Arc::new(second), Interest::WRITABLE).map(Self::Told),
            // A connection, or a worker, must not end because others have many.
            Err(_) => Ok(Self::TriedAgain(Box::pin(sleep(AGAIN)))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Told(second) => second.poll_write_ready(cx).map_ok(drop),
            Self::TriedAgain(time) => time.as_mut().poll(cx).map(Ok),
        }
    }
}

thread_local! {
    static RECEIVED: Cell<u64> = const { Cell::new(0) };
}

/// How many times this thread has received something, on any [`Socket`].
pub fn received() -> u64 {
    RECEIVED.get()
}

/// How many bytes the kernel holds for a peer that has not read them yet. With
/// its default of 208 KiB a message of 1 MiB takes five turns between the two
/// processes. HTTP/2's windows and a stream's credit bound what is sent at all.
const SEND_BUFFER: usize = 1024 * 1024;

/// Lets more of a message leave at once.
pub fn enlarge(socket: &UnixStream) {
    // Where the system's limit is lower, that one holds; it only costs time.
    let _ = SockRef::from(socket).set_send_buffer_size(SEND_BUFFER);
}

impl Socket {
    /// Takes a connected socket to the reactor.
    ///
    /// # Errors
    /// The reactor does not take it.
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        enlarge(&socket);
        let socket = Arc::new(socket);
        let write = SocketWriter { socket: Arc::clone(&socket), room: None };
        let socket = register(socket, Interest::READABLE)?;
        Ok(Self { read: SocketReader { socket }, write })
    }

    /// The two directions, each with an owner of its own.
    pub fn into_split(self) -> (SocketReader, SocketWriter) {
        (self.read, self.write)
    }
}

impl SocketWriter {
    /// Writes what the socket takes now.
    ///
    /// # Errors
    /// `WouldBlock` if it takes nothing: [`poll_room`](Self::poll_room) waits.
    pub fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match slices {
            [one] => (&*self.socket).write(one)?,
            more => (&*self.socket).write_vectored(more)?,
        };
        if written == slices.iter().map(|slice| slice.len()).sum::<usize>() {
            self.room = None;
        }
        Ok(written)
    }

    /// Waits for room, after [`try_write`](Self::try_write) found none.
    ///
    /// # Errors
    /// The reactor is gone.
    pub fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = match &mut self.room {
            Some(room) => room,
            none => none.insert(Room::of(self.socket.try_clone())?),
        };
        ready!(room.poll(cx))?;
        self.room = None;
        Poll::Ready(Ok(()))
    }

    fn poll_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // Who was told to wait is owed a wake-up: a write that succeeds before it
        // came would take the wait away. h2 does try twice, and reads only if
        // the first try succeeds.
        if self.room.is_some() {
            ready!(self.poll_room(cx))?;
        }
        loop {
            match self.try_write(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.poll_room(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for SocketReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(cx))?;
            match receive(ready.get_inner(), buffer) {
                Ok(count) => {
                    RECEIVED.set(RECEIVED.get() + 1);
                    // What leaves room in the buffer has emptied the socket; an
                    // end of file stays known to the reactor.
                    if count > 0 && buffer.remaining() > 0 {
                        ready.clear_ready();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Registers one direction of a socket with the reactor.
#[allow(unsafe_code)]
fn register(socket: Arc<UnixStream>, interest: Interest) -> io::Result<AsyncFd<Arc<UnixStream>>> {
    // SAFETY: the descriptor must stay open and the same while it is
    // registered; the `AsyncFd` holds an owner of it, which gives it to nobody.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

/// Reads into memory that nobody has to clear first.
#[allow(unsafe_code)]
fn receive(socket: &UnixStream, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
    // SAFETY: nothing is written to the buffer but by `recv`, which initialises
    // what it fills: never a byte is de-initialised.
    let room = unsafe { buffer.unfilled_mut() };
    let count = SockRef::from(socket).recv(room)?;
    // SAFETY: `recv` has just initialised that many bytes.
    unsafe { buffer.assume_init(count) };
    buffer.advance(count);
    Ok(count)
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write.poll_slices(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write.poll_slices(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // nothing is kept back
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.write.socket.shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, io::Read as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn large_payloads_pass_both_ways_at_once_and_the_end_is_seen() {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        let side = |socket| async {
            let (mut read, mut write) = tokio::io::split(Socket::new(socket).expect("socket"));
            let sent: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
            let writing = async {
                write.write_all(&sent).await.expect("write");
                write.shutdown().await.expect("shutdown");
            };
            let mut received = Vec::new();
            let (_, read) = tokio::join!(writing, read.read_to_end(&mut received));
            assert_eq!(read.expect("read"), sent.len());
            assert!(received == sent, "the bytes arrive as they left");
        };
        tokio::join!(side(ours), side(theirs));
    }

    #[tokio::test]
    async fn without_a_descriptor_to_wait_with_a_write_is_tried_again() {
        let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
        let mut ours = Socket::new(ours).expect("socket");
        let message = vec![0; 64 * 1024];
        while ours.write.try_write(&[IoSlice::new(&message)]).is_ok() {}
        let none_left = io::Error::from_raw_os_error(24); // EMFILE
        ours.write.room = Some(Room::of(Err(none_left)).expect("another way"));
        theirs.set_nonblocking(true).expect("nonblocking");
        while theirs.read(&mut [0; 64 * 1024]).is_ok() {}
        let written = tokio::time::timeout(Duration::from_secs(10), ours.write_all(&message)).await;
        written.expect("in time").expect("written");
    }

    #[tokio::test]
    async fn a_write_that_waits_is_woken_even_if_another_try_comes_first() {
        let (ours, mut theirs) = UnixStream::pair().expect("socketpair");
        let mut ours = Socket::new(ours).expect("socket");
        let message = vec![0; 64 * 1024];
        let once = |ours: &mut Socket, cx: &mut Context<'_>| {
            Poll::Ready(Pin::new(ours).poll_write(cx, &message).is_ready())
        };
        while poll_fn(|cx| once(&mut ours, cx)).await {}
        theirs.set_nonblocking(true).expect("nonblocking");
        while theirs.read(&mut [0; 64 * 1024]).is_ok() {}
        assert!(!poll_fn(|cx| once(&mut ours, cx)).await, "the wake-up is still to come");
        let woken = tokio::time::timeout(Duration::from_secs(10), ours.write(&message)).await;
        woken.expect("woken").expect("written");
    }
}
