//! The connection to the socket.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use crate::process::Socket;

/// A channel that connects at its first call, and again whenever it must.
pub fn lazy(path: PathBuf) -> Channel {
    // The authority is never looked up; HTTP/2 only wants one.
    Endpoint::from_static("http://localhost")
        .initial_stream_window_size(1024 * 1024)
        .initial_connection_window_size(4 * 1024 * 1024)
        .connect_with_connector_lazy(tower::service_fn(move |_| {
            let path = path.clone();
            async move {
                let stream = UnixStream::connect(path).await?.into_std()?;
                Socket::new(stream).map(TokioIo::new)
            }
        }))
}
