//! A connection of HTTP/2, over a stream whose `:authority` is repaired.

use std::{convert::Infallible, pin::pin, sync::Arc};

use bytes::BytesMut;
use http::Request;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use super::{
    access::Caller,
    admission::Refusal,
    answer,
    authority::{AuthorityRepair, MAX_BLOCK, MAX_FRAME},
    calm::{Calm, Tally},
    lifetime::{self, Activity, is_over},
    router::Router,
    status,
};
use crate::config::Limits;

/// Flow-control windows in bytes: large enough that a payload of some MiB needs
/// few round trips, small enough to bound what a connection may hold.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// The largest head that is read, whatever `max_header_size` is, in order to be refused in
/// words; announced, so that many clients send none that is larger. Such a one h2 answers
/// with 431, and one far beyond by closing the connection.
const MAX_HEAD: u32 = MAX_BLOCK as u32;

/// Serves a connection that begins with the bytes `opening`, until its client
/// leaves or it is asked to end: by `closing`, or because nobody uses it or reads. What
/// carries nothing is counted by `tally`. Returns whether it was closed because its client
/// took nothing of a result.
///
/// # Errors
/// The client vanished, or broke the protocol.
pub async fn serve<S>(
    stream: S,
    opening: BytesMut,
    caller: Arc<Caller>,
    router: Arc<Router>,
    tally: Tally,
    limits: Limits,
    closing: watch::Receiver<bool>,
) -> hyper::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(Calm::new(AuthorityRepair::new(stream, opening), tally));
    let activity = Activity::default();
    let of_service = activity.clone();
    let over = is_over(closing, &activity, limits.max_connection_idle);
    let service = service_fn(move |request| {
        let served = of_service.begin();
        let (router, caller) = (Arc::clone(&router), Arc::clone(&caller));
        // Boxed, because hyper moves it several times on its way into a task.
        Box::pin(async move { router.serve(request, caller, served).await })
    });
    let connection = pin!(builder(limits).serve_connection(io, service));
    lifetime::serve(connection, over, |connection| connection.graceful_shutdown()).await
}

/// What h2 has closed the connection for, if it was for what the client sent.
pub fn fault(error: &hyper::Error) -> Option<&h2::Error> {
    let error = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    error.is_library().then_some(error)
}

/// Answers every request of a connection with the refusal. The caller bounds the
/// time.
///
/// # Errors
/// The client vanished, or broke the protocol.
pub async fn refuse<S>(
    stream: S,
    opening: BytesMut,
    refusal: &Refusal,
    tally: Tally,
    limits: Limits,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let io = TokioIo::new(Calm::new(AuthorityRepair::new(stream, opening), tally));
    let status = status::of_refusal(refusal);
    let service = service_fn(move |_: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(answer::refused(status.clone())))
    });
    builder(limits).serve_connection(io, service).await
}

fn builder(limits: Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_concurrent_streams)
        // Callers may cancel all their calls at once; the default of 20 would
        // take such a burst for an attack and drop the connection.
        .max_pending_accept_reset_streams(limits.max_concurrent_streams as usize)
        .max_header_list_size(MAX_HEAD)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME as u32)
        .auto_date_header(false);
    builder
}
