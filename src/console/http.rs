//! A connection to the console: HTTP/1.1, one request after the other.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use dirtyd_client::proto::v1;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::{
    Console,
    door::{Closed, May, Visitor},
    listener::Arrival,
    operate::{self, Operation},
    page,
};
use crate::{
    proto::admin_server::Admin as _,
    server::{Insight, Scrape, http_of},
};

/// How long a request may take to arrive, and a connection may rest.
const HEAD: Duration = Duration::from_secs(30);

/// How much of an answer hyper holds, and the longest head.
const BUFFER: usize = 16 << 10;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves a connection until its client leaves.
pub async fn serve(arrival: Arrival, console: Arc<Console>) {
    let Some(visitor) = console.door.visitor(&arrival, &console.insight) else { return };
    let service = service_fn(|request| {
        let console = Arc::clone(&console);
        async move { Ok::<_, Infallible>(answered(&console, visitor, request).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(64);
    // A feed waits in its mailbox, which is bounded, and not behind it.
    builder.max_buf_size(BUFFER);
    // A client that vanishes or sends nonsense is its own affair.
    let _ = match arrival {
        Arrival::Loopback(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
        Arrival::Unix(stream, ..) => builder.serve_connection(TokioIo::new(stream), service).await,
    };
}

async fn answered(
    console: &Console,
    visitor: Visitor,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path();
    // Probes know no token.
    match path {
        "/healthz" => return whole(Scrape::healthz()),
        "/readyz" => return whole(console.insight.scrape.readyz().await),
        _ => {}
    }
    let may = match console.door.may(visitor, request.headers()) {
        Ok(may) => may,
        Err(closed) => return whole(refused(closed)),
    };
    match (request.method(), path) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            whole(console.insight.scrape.metrics(request.headers()).await)
        }
        _ => other(console, may, request).await,
    }
}

async fn other(console: &Console, may: May, request: Request<Incoming>) -> Response<Body> {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    if let Some(response) = page::answer(method, path, headers) {
        return whole(response);
    }
    match (method, path) {
        (&Method::GET, "/feed") => match console.feed.open(may == May::Operate) {
            Ok(feed) => page::feed(feed.boxed_unsync()),
            Err(none) => whole(text(StatusCode::SERVICE_UNAVAILABLE, format!("{none}\n"))),
        },
        _ if may == May::Operate && path.starts_with("/operate/") => {
            whole(match Operation::of(method, path, headers) {
                Ok(operation) => operated(&console.insight, operation).await,
                Err(refused) => json(refused.status(), &operate::error(&refused.to_string())),
            })
        }
        _ => {
            let path = crate::printable::one_line(path);
            let message =
                format!("there is nothing at {path}; /, /metrics, /healthz and /readyz are here\n");
            whole(text(StatusCode::NOT_FOUND, message))
        }
    }
}

/// Does what a page asks for.
async fn operated(insight: &Insight, operation: Operation) -> Response<Bytes> {
    let done = match operation {
        Operation::RestartWorker(worker_id) => {
            let request = v1::RestartWorkerRequest { worker_id };
            let restarted = insight.admin.restart_worker(tonic::Request::new(request)).await;
            restarted.map(|response| operate::restarted(response.get_ref()))
        }
        Operation::Stacks(worker_id) => {
            let request = v1::GetStacksRequest { worker_id };
            let stacks = insight.admin.get_stacks(tonic::Request::new(request)).await;
            stacks.map(|response| operate::stacks(response.get_ref()))
        }
        Operation::CancelCall(call_id) => {
            let request = v1::CancelCallRequest { call_id };
            let cancelled = insight.admin.cancel_call(tonic::Request::new(request)).await;
            cancelled.map(|response| operate::cancelled(response.get_ref()))
        }
    };
    match done {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(error) => json(http_of(&error), &operate::error(error.message())),
    }
}

fn json(status: StatusCode, answer: &serde_json::Value) -> Response<Bytes> {
    let mut response = text(status, answer.to_string());
    page::protect(response.headers_mut());
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refused(closed: Closed) -> Response<Bytes> {
    match closed {
        Closed::NoToken => {
            let message = "the token of observe.token_file is needed: as `Authorization: Bearer TOKEN`, or as the password in a browser\n";
            let mut response = text(StatusCode::UNAUTHORIZED, message.to_owned());
            let ask = HeaderValue::from_static("Basic realm=\"dirtyd\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
            response
        }
        Closed::OtherHost => text(
            StatusCode::FORBIDDEN,
            "the request names another host than this machine; use its address or localhost, or set observe.token_file\n"
                .to_owned(),
        ),
    }
}

/// A short text.
pub fn text(status: StatusCode, message: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(message));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// An answer that is there as a whole.
pub fn whole(response: Response<Bytes>) -> Response<Body> {
    response.map(|bytes| Full::new(bytes).boxed_unsync())
}
