//! A connection of HTTP/1: one request after the other, of callers that speak Connect,
//! gRPC-Web or JSON.
//!
//! hyper keeps its buffers as long as it has a connection. Most connections of a web
//! server's workers rest, and there may be thousands: one that rests is taken out of hyper,
//! and given to it again with the next byte.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::BytesMut;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, Parts},
    service::Service,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
    task::yield_now,
    time::sleep,
};

use super::{
    access::Caller,
    answer::Answer,
    calm::Tally,
    lifetime::{self, Activity, Asked, is_over},
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
/// `request_timeout` to arrive, from its first byte. Returns whether the connection was
/// closed because its client took nothing of a result.
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
    let activity = Activity::default();
    let farewell = Arc::new(Farewell::default());
    let mut service = Answering {
        caller,
        router,
        tally: Arc::new(Mutex::new(tally)),
        activity: activity.clone(),
        farewell: Arc::clone(&farewell),
    };
    let mut over = Box::pin(is_over(closing, &activity, limits.max_connection_idle));
    let mut stream = Http1Stream::new(stream, opening, Arc::clone(&farewell));
    loop {
        // Boxed, so that a connection that rests does not hold it.
        let awake = Box::pin(serve_awake(stream, service, limits, &activity, over.as_mut()));
        (stream, service) = match awake.await? {
            Awake::Rests(stream, service) => (stream, service),
            Awake::Ends(mut stream) => {
                // It is over, however its client takes that.
                let _ = stream.shutdown().await;
                return Ok(false);
            }
            Awake::Asked(mut connection, asked) => {
                let shut_down = |connection: Pin<&mut http1::Connection<_, _>>| {
                    farewell.ends();
                    connection.graceful_shutdown();
                };
                return lifetime::end(Pin::new(&mut *connection), asked, shut_down).await;
            }
        };
        let comes = tokio::select! { biased;
            comes = stream.wakes() => comes,
            _ = over.as_mut() => {
                farewell.ends();
                false
            }
        };
        if !comes {
            // A client that does not see it has some time for that, and no more.
            let _ = stream.shutdown().await;
            return Ok(false);
        }
    }
}

/// What became of a connection that was awake.
enum Awake<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Nothing has come for a while.
    Rests(Http1Stream<S>, Answering),
    /// No further request will come.
    Ends(Http1Stream<S>),
    /// It is asked to end.
    Asked(Box<http1::Connection<TokioIo<Http1Stream<S>>, Answering>>, Asked),
}

/// Serves a connection until it rests.
async fn serve_awake<S>(
    stream: Http1Stream<S>,
    service: Answering,
    limits: Limits,
    activity: &Activity,
    over: Pin<&mut impl Future<Output = Asked>>,
) -> hyper::Result<Awake<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = limits.max_header_size as usize + READ_TO_REFUSE;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Some(limits.request_timeout).filter(|time| *time > Duration::ZERO))
        .max_header_size(head)
        .max_headers(MAX_HEADERS)
        .auto_date_header(false);
    let rests = activity.rests();
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! { biased;
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
            ended?;
            return Ok(Awake::Ends(connection.into_parts().io.into_inner()));
        }
        asked = over => return Ok(Awake::Asked(Box::new(connection), asked)),
        () = rests => {}
    }
    Pin::new(&mut connection).graceful_shutdown();
    poll_fn(|cx| connection.poll_without_shutdown(cx)).await?;
    let Parts { io, read_buf, service, .. } = connection.into_parts();
    let mut stream = io.into_inner();
    stream.put_back(&read_buf);
    Ok(Awake::Rests(stream, service))
}

/// What answers the requests of a connection.
struct Answering {
    caller: Arc<Caller>,
    router: Arc<Router>,
    tally: Arc<Mutex<Tally>>,
    activity: Activity,
    farewell: Arc<Farewell>,
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let served = self.activity.begin();
        self.farewell.asked(request.version(), request.headers());
        let (router, caller) = (Arc::clone(&self.router), Arc::clone(&self.caller));
        let (tally, farewell) = (Arc::clone(&self.tally), Arc::clone(&self.farewell));
        Box::pin(async move {
            let answer = router.serve(request, caller, served).await;
            let is_cheap = answer.as_ref().is_ok_and(|answer| answer.body().is_cheap());
            let wait = if is_cheap { locked(&tally).asked() } else { Duration::ZERO };
            match wait.is_zero() {
                // hyper would answer many cheap ones in a row. And it closes the connection behind
                // an answer to a request whose body nobody has read to its end; it says so in the
                // answer only if it has had a turn since the body was dropped.
                true => yield_now().await,
                false => sleep(wait).await,
            }
            farewell.answered();
            answer
        })
    }
}
