//! Where the console listens.

use std::{fmt, io, net::SocketAddr, path::PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::{
    call::Peer,
    config::{Config, ObserveAddress},
    listening_socket::ListeningSocket,
    server::{groups_of, peer_of},
};

/// A listener on the loopback or on a Unix socket.
pub enum ConsoleListener {
    /// On the loopback: anybody on this machine may come.
    Loopback(TcpListener, SocketAddr),
    /// On a Unix socket, whose file is removed with it.
    Unix(tokio::net::UnixListener, ListeningSocket, PathBuf),
}

/// A connection.
pub enum Arrival {
    /// From this machine; nobody knows whose.
    Loopback(TcpStream),
    /// Of a user.
    Unix(UnixStream, Peer, Vec<u32>),
}

impl ConsoleListener {
    /// Listens at an address, a Unix socket with the mode and the group of the socket of
    /// callers.
    ///
    /// # Errors
    /// The address is taken, or cannot be used; the text names it.
    pub fn bind(address: &ObserveAddress, config: &Config) -> io::Result<Self> {
        match address {
            ObserveAddress::Loopback(address) => {
                let named = |error| io::Error::other(format!("{address}: {error}"));
                let listener = std::net::TcpListener::bind(address).map_err(named)?;
                listener.set_nonblocking(true)?;
                let address = listener.local_addr()?;
                Ok(Self::Loopback(TcpListener::from_std(listener)?, address))
            }
            ObserveAddress::Unix(path) => {
                let mut own = config.clone();
                own.socket.clone_from(path);
                let mut socket = ListeningSocket::bind(&own)?;
                let listener = socket.give()?;
                listener.set_nonblocking(true)?;
                let listener = tokio::net::UnixListener::from_std(listener)?;
                Ok(Self::Unix(listener, socket, path.clone()))
            }
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub async fn accept(&self) -> io::Result<Arrival> {
        match self {
            Self::Loopback(listener, _) => Ok(Arrival::Loopback(listener.accept().await?.0)),
            Self::Unix(listener, ..) => {
                let (stream, _) = listener.accept().await?;
                let (peer, groups) = (peer_of(&stream), groups_of(&stream));
                Ok(Arrival::Unix(stream, peer, groups))
            }
        }
    }
}

impl Drop for ConsoleListener {
    fn drop(&mut self) {
        if let Self::Unix(_, socket, _) = self {
            socket.close(false);
        }
    }
}

impl fmt::Display for ConsoleListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(_, address) => write!(f, "http://{address}"),
            Self::Unix(_, _, path) => write!(f, "unix:{}", path.display()),
        }
    }
}
