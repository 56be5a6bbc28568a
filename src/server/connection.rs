//! One connection: HTTP/2 over a repaired Unix stream.

use std::{convert::Infallible, sync::Arc, time::Duration};

use dirtyd_client::system::Socket;
use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::Watcher,
};
use tonic::Status;

use super::{
    authority::AuthorityRepair,
    router::{Router, refusal},
};
use crate::{call::Peer, config::Limits};

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
pub async fn serve(
    stream: Socket,
    peer: Peer,
    router: Arc<Router>,
    limits: Limits,
    watcher: Watcher,
) {
    let io = TokioIo::new(AuthorityRepair::new(stream));
    let service = service_fn(move |request| {
        let router = Arc::clone(&router);
        // Boxed, because hyper moves it several times on its way into a task.
        Box::pin(async move { router.serve(request, peer).await })
    });
    let connection = builder(limits).serve_connection(io, service);
    if let Err(error) = watcher.watch(connection).await {
        // A client that vanishes is no fault; one that speaks no HTTP/2 is its own.
        tracing::debug!("connection ended: {error}");
    }
}

/// Answers whatever a client asks with `status`, for a while.
pub async fn refuse(stream: Socket, status: Status, limits: Limits) {
    let service = service_fn(move |_: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(refusal(status.clone())))
    });
    let io = TokioIo::new(AuthorityRepair::new(stream));
    let connection = builder(limits).serve_connection(io, service);
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
