//! A connection of HTTP/1: one request after the other, of callers that speak Connect,
//! gRPC-Web or JSON.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::BytesMut;
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::yield_now,
    time::sleep,
};

use super::{
    access::Caller,
    calm::Tally,
    lifetime::{self, Activity, is_over},
    locked::locked,
    router::Router,
};
use crate::config::Limits;

mod farewell;
mod stream;

use farewell::Farewell;
use stream::Http1Stream;

/// How many bytes beyond `max_header_size` a head is read, in order to be refused in
/// words; hyper answers what is larger with 431 and nothing else.
const READ_TO_REFUSE: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 256;

/// Serves a connection that begins with the bytes `opening`, until its client leaves or
/// it is asked to end: by `closing`, or because nobody uses it or reads. Requests that take
/// no call are counted by `tally`, and wait if they are too many. A head has
/// `request_timeout` to arrive, from the end of the answer before it. Returns whether it
/// was closed because its client took nothing of a result.
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
    let farewell = Arc::new(Farewell::default());
    let io = TokioIo::new(Http1Stream::new(stream, opening, Arc::clone(&farewell)));
    let activity = Activity::default();
    let over = is_over(closing, activity.clone(), limits.max_connection_idle);
    let tally = Arc::new(Mutex::new(tally));
    let at_its_end = Arc::clone(&farewell);
    let service = service_fn(move |request: Request<Incoming>| {
        let served = activity.begin();
        farewell.asked(request.version(), request.headers());
        let farewell = Arc::clone(&farewell);
        let (router, caller) = (Arc::clone(&router), Arc::clone(&caller));
        let tally = Arc::clone(&tally);
        async move {
            let answer = router.serve(request, caller, served).await;
            if answer.as_ref().is_ok_and(|answer| answer.body().is_cheap()) {
                let wait = locked(&tally).asked();
                match wait.is_zero() {
                    // hyper would answer many of them in a row.
                    true => yield_now().await,
                    false => sleep(wait).await,
                }
            }
            farewell.answered();
            answer
        }
    });
    let head = limits.max_header_size as usize + READ_TO_REFUSE;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Some(limits.request_timeout).filter(|time| *time > Duration::ZERO))
        .max_header_size(head)
        .max_headers(MAX_HEADERS)
        .auto_date_header(false);
    let connection = pin!(builder.serve_connection(io, service));
    let shut_down = |connection: Pin<&mut http1::Connection<_, _>>| {
        at_its_end.ends();
        connection.graceful_shutdown();
    };
    lifetime::serve(connection, over, shut_down).await
}
