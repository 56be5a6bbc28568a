//! The connection to the socket.
//!
//! It is hyper's client and not tonic's `Channel`, because that one watches
//! `grpc-timeout` itself and would answer a moment before the arbiter, which
//! knows whether the call waited or ran.

use std::{
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{
    client::legacy::{
        self,
        connect::{Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo},
};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::system::Socket;

/// What the calls go over: connects at the first one, and again whenever it
/// must; all clones share one connection.
pub type Transport = legacy::Client<Connector, tonic::body::Body>;

/// The authority is never looked up; HTTP/2 only wants one.
pub fn origin() -> Uri {
    Uri::from_static("http://localhost")
}

/// A transport to the socket at `path`.
pub fn transport(path: &Path) -> Transport {
    legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .pool_idle_timeout(None)
        .http2_initial_stream_window_size(1024 * 1024)
        .http2_initial_connection_window_size(4 * 1024 * 1024)
        .http2_max_frame_size(256 * 1024)
        .build(Connector(path.to_owned()))
}

/// How far a call got that failed without an answer of the arbiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// There was no connection to send it over.
    Never,
    /// It left, but the arbiter's end of the connection was closing and says
    /// that it has not looked at it (RFC 9113, 6.8 and 8.7).
    Refused,
    /// Nobody knows; the action may have run.
    Perhaps,
}

impl Sent {
    /// Reads it from the causes of a transport's error.
    pub(super) fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| {
                let connect =
                    error.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect)
                        || error.downcast_ref::<io::Error>().is_some_and(is_of_connect);
                let refused = error.downcast_ref::<h2::Error>().is_some_and(is_refusal);
                connect.then_some(Self::Never).or(refused.then_some(Self::Refused))
            })
            .unwrap_or(Self::Perhaps)
    }
}

/// Whether only an attempt to connect fails in this way. tonic's channel says no more.
fn is_of_connect(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
    matches!(error.kind(), ConnectionRefused | NotFound | PermissionDenied)
}

/// Whether the peer named the stream as one that it will not process. h2 gives
/// a GOAWAY only to streams above its last one; those below it that the end of
/// the connection cut off get an I/O error.
fn is_refusal(error: &h2::Error) -> bool {
    let reason = match error.is_go_away() {
        true => h2::Reason::NO_ERROR,
        false => h2::Reason::REFUSED_STREAM,
    };
    error.is_remote() && error.reason() == Some(reason)
}

/// A channel of tonic's own.
pub fn lazy(path: PathBuf) -> Channel {
    Endpoint::from(origin()).connect_with_connector_lazy(Connector(path))
}

/// Connects to one socket, whatever the URI says.
#[derive(Debug, Clone)]
pub struct Connector(PathBuf);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Socket>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connecting = UnixStream::connect(self.0.clone());
        Box::pin(async { Socket::new(connecting.await?.into_std()?).map(TokioIo::new) })
    }
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
