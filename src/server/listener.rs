//! Where connections come from: the seam between a kind of socket and the edge.
//!
//! The edge takes connections from any [`Listener`]. Whatever takes time before
//! a connection can be used, such as a handshake, belongs into its
//! [`Arrival::identify`], which runs in the connection's own task.

use std::{
    io,
    os::{fd::AsFd as _, unix::net::UnixListener as StdListener},
};

use dirtyd_client::system::Socket;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{UnixListener, UnixStream},
};

use crate::{call::Peer, process::peer_groups};

/// A socket that clients connect to.
pub trait Listener: Send + Sync + 'static {
    /// Its connections.
    type Arrival: Arrival;

    /// Waits for the next connection; cancel safe.
    ///
    /// # Errors
    /// No connection can be taken now, for want of descriptors or memory.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Arrival>> + Send;
}

/// A connection that was just taken.
pub trait Arrival: Send + 'static {
    /// Its two directions of bytes.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Finds out who connected, and makes the connection usable. The caller
    /// bounds the time.
    ///
    /// # Errors
    /// The connection cannot be used.
    fn identify(self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;

    /// The groups that the process at the other end is in, beside its own one.
    /// Empty where there is no such thing.
    fn groups(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// A listening Unix socket.
#[derive(Debug)]
pub struct UnixSocket(UnixListener);

impl UnixSocket {
    /// Takes a bound socket to the reactor.
    ///
    /// # Errors
    /// The reactor does not take it.
    pub fn new(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener).map(Self)
    }
}

impl Listener for UnixSocket {
    type Arrival = UnixStream;

    async fn accept(&self) -> io::Result<UnixStream> {
        self.0.accept().await.map(|(stream, _)| stream)
    }
}

impl Arrival for UnixStream {
    type Stream = Socket;

    async fn identify(self) -> io::Result<(Socket, Peer)> {
        let peer = peer_of(&self);
        Ok((Socket::new(self.into_std()?)?, peer))
    }

    fn groups(&self) -> Vec<u32> {
        groups_of(self)
    }
}

/// The process at the other end of a Unix socket.
pub fn peer_of(stream: &UnixStream) -> Peer {
    stream.peer_cred().map_or(Peer::Unknown, |peer| Peer::Process {
        uid: peer.uid(),
        gid: peer.gid(),
        pid: peer.pid(),
    })
}

/// The groups that it is in, beside its own one.
pub fn groups_of(stream: &UnixStream) -> Vec<u32> {
    // A kernel that does not tell them knows the one group of SO_PEERCRED.
    peer_groups(stream.as_fd()).unwrap_or_default()
}
