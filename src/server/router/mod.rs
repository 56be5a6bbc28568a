//! Which service answers a request. The arbiter's own two methods are matched
//! first and by hand, because every call passes here. What is no gRPC over HTTP/2 is one of
//! its dialects, or plain HTTP.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Body;
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::BoxError;

use super::{
    access::Caller,
    answer::{self, Answer},
    cors::Cors,
    execute::ArbiterService,
    grpc::{self, NotGrpc, UnaryBody},
    json,
    lifetime::Served,
    origins::Origins,
    outstanding::{Outstanding, OutstandingAnswer},
    scrape::Scrape,
    services::Services,
    status,
    unread::Unread,
    until_drain::UntilDrain,
};

mod in_dialect;
mod plain;

/// The arbiter's own two methods.
const EXECUTE: &str = "/dirty.v1.Arbiter/Execute";
const EXECUTE_STREAM: &str = "/dirty.v1.Arbiter/ExecuteStream";

/// How often [`Router::nobody_reads_for`] looks.
const LOOKS: u32 = 10;

/// All services of the edge.
pub struct Router {
    arbiter: ArbiterService,
    services: Services,
    scrape: Arc<Scrape>,
    origins: Origins,
    cors: Cors,
    outstanding: Outstanding,
    unread: Arc<Unread>,
    draining: watch::Receiver<bool>,
}

impl Router {
    /// A router to the arbiter, to the other `services` and to what `scrape` knows, also for
    /// pages of `origins`. Once `draining` is true, answers of the others that have no end are
    /// ended.
    pub fn new(
        arbiter: ArbiterService,
        services: Services,
        scrape: Arc<Scrape>,
        origins: Origins,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let (outstanding, unread) = (Outstanding::default(), Arc::default());
        let cors = Cors::new(&origins);
        Self { arbiter, services, scrape, origins, cors, outstanding, unread, draining }
    }

    /// The answers of the arbiter that have not left. Answers of the others do
    /// not count, because a drain ends them.
    pub fn outstanding(&self) -> &Outstanding {
        &self.outstanding
    }

    /// The large results that wait for their readers.
    pub fn unread(&self) -> &Arc<Unread> {
        &self.unread
    }

    /// Resolves when no call runs and no reader takes anything, of whatever is
    /// outstanding, for a while.
    pub async fn nobody_reads_for(&self, time: Duration) {
        let state = || (self.outstanding.count(), self.unread.pieces());
        let (mut before, mut quiet_looks) = (state(), 0);
        while quiet_looks < LOOKS {
            tokio::time::sleep(time / LOOKS).await;
            let (now, calls) = (state(), self.arbiter.calls().await);
            quiet_looks = if now == before && calls == 0 { quiet_looks + 1 } else { 0 };
            before = now;
        }
    }

    /// Answers a request of a caller.
    ///
    /// # Errors
    /// Never: an error is an answer, too.
    pub async fn serve(
        &self,
        request: Request<Incoming>,
        caller: Arc<Caller>,
        served: Served,
    ) -> Result<Response<Answer>, Infallible> {
        if let Err(why) = grpc::check(&request) {
            // Boxed, so that those of gRPC do not carry its size.
            return Ok(Box::pin(self.not_grpc(request, why, caller, served)).await);
        }
        let answered = match request.uri().path() {
            EXECUTE => {
                let answered = self.arbiter.execute(request, &caller, &self.outstanding).await;
                answered.map(|(body, outstanding)| self.unary(body, outstanding, served))
            }
            EXECUTE_STREAM => {
                let answered =
                    self.arbiter.execute_stream(request, &caller, &self.outstanding).await;
                answered.map(|(body, outstanding)| Answer::Streaming { body, outstanding, served })
            }
            path => {
                if let Err(denied) = caller.may_use(path) {
                    return Ok(answer::refused(status::of_denied(&denied)));
                }
                if let Err(too_large) = self.arbiter.requests().head_size(request.headers()) {
                    return Ok(answer::refused(too_large));
                }
                return self.other(request, served).await;
            }
        };
        Ok(answered.map_or_else(answer::refused, |body| {
            let mut response = Response::new(body);
            let grpc = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert(CONTENT_TYPE, grpc);
            response
        }))
    }

    /// Answers a request that is no gRPC over HTTP/2: `why`.
    async fn not_grpc(
        &self,
        request: Request<Incoming>,
        why: NotGrpc,
        caller: Arc<Caller>,
        served: Served,
    ) -> Response<Answer> {
        if let Err(not_allowed) = self.origins.check(request.headers()) {
            let refused = json::error(&status::of_origin(&not_allowed));
            return Answer::text(refused, true);
        }
        let serve = async |request: Request<Incoming>| match is_service(request.uri().path()) {
            true => self.in_dialect(request, why, caller, served).await,
            false => self.plain(request, caller, served).await,
        };
        self.cors.serve(request, serve).await
    }

    /// Answers a request of gRPC to a service that is not the arbiter's own.
    async fn other<B>(
        &self,
        request: Request<B>,
        served: Served,
    ) -> Result<Response<Answer>, Infallible>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let response = self.services.serve(request).await?;
        let until_drain = |body| UntilDrain::new(body, self.draining.clone());
        Ok(response.map(|body| Answer::Other { body: until_drain(body), served }))
    }

    /// The answer to Execute.
    fn unary(&self, body: UnaryBody, outstanding: OutstandingAnswer, served: Served) -> Answer {
        match body.is_large() {
            true => Answer::Large { body: self.unread.watched(body, served), outstanding },
            false => Answer::Unary { body, outstanding, served },
        }
    }
}

/// Whether a path is that of a method of gRPC: `/package.Service/Method`.
fn is_service(path: &str) -> bool {
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    parts.is_some_and(|(service, _)| service.contains('.') && !service.contains(':'))
}
