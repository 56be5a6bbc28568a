//! One connection: HTTP/2 over a repaired Unix stream.

use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::Watcher,
    service::TowerToHyperService,
};
use tonic::{Status, body::Body};
use tower::Service;

use super::authority::AuthorityRepair;
use crate::{config::Limits, process::Socket};

/// Flow-control windows: large enough that a payload of some MiB needs few
/// round trips, small enough to bound what a connection may hold.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Frames about as large as what a Unix socket takes at once: with HTTP/2's
/// default of 16 KiB, a payload of 1 MiB would take 64 writes and reads.
const FRAME: u32 = 256 * 1024;
/// How long a refused client may take to read why.
const REFUSAL: Duration = Duration::from_secs(5);

/// Serves a connection until its client leaves or `watcher` asks it to end.
pub async fn serve<S>(stream: Socket, service: S, limits: Limits, watcher: Watcher)
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let io = TokioIo::new(AuthorityRepair::new(stream));
    let connection = builder(limits).serve_connection(io, TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection).await {
        // A client that vanishes is no fault; one that speaks no HTTP/2 is its own.
        tracing::debug!("connection ended: {error}");
    }
}

/// Answers whatever a client asks with `status`, for a while.
pub async fn refuse(stream: Socket, status: Status, limits: Limits) {
    let service = tower::service_fn(move |_: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(status.clone().into_http::<Body>()))
    });
    let io = TokioIo::new(AuthorityRepair::new(stream));
    let connection = builder(limits).serve_connection(io, TowerToHyperService::new(service));
    let _ = tokio::time::timeout(REFUSAL, connection).await;
}

fn builder(limits: Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_concurrent_streams)
        // Callers may cancel all their calls at once; the default of 20 would
        // take such a burst for an attack and drop the connection.
        .max_pending_accept_reset_streams(limits.max_concurrent_streams as usize)
        .max_header_list_size(limits.max_header_size)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .auto_date_header(false);
    builder
}
