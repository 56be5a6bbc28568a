//! Which service answers a request. The arbiter's own two methods are matched
//! first and by hand, because every call passes here. What is no gRPC is plain HTTP.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tokio::sync::watch;
use tonic::service::Routes;
use tower::ServiceExt as _;

use super::{
    access::Caller,
    answer::{self, Answer},
    execute::ArbiterService,
    grpc::{self, UnaryBody},
    json::{self, Form, Lines, NoTarget, Target},
    lifetime::Served,
    outstanding::{Outstanding, OutstandingAnswer},
    status,
    unread::Unread,
    until_drain::UntilDrain,
};

/// How often [`Router::nobody_reads_for`] looks.
const LOOKS: u32 = 10;

/// All services of the edge.
pub struct Router {
    arbiter: ArbiterService,
    others: Routes,
    outstanding: Outstanding,
    unread: Arc<Unread>,
    draining: watch::Receiver<bool>,
}

impl Router {
    /// A router to the arbiter and to the `others`: admin, health, reflection.
    /// Once `draining` is true, answers of the others that have no end are ended.
    pub fn new(arbiter: ArbiterService, others: Routes, draining: watch::Receiver<bool>) -> Self {
        let (outstanding, unread) = (Outstanding::default(), Arc::default());
        Self { arbiter, others, outstanding, unread, draining }
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
            return Ok(match is_service(request.uri().path()) {
                true if request.version() < Version::HTTP_2 => text(json::nothing(&NoTarget::Grpc)),
                true => answer::not_grpc(&why),
                // Boxed, so that those of gRPC do not carry its size.
                false => Box::pin(self.plain(request, caller, served)).await,
            });
        }
        let answered = match request.uri().path() {
            "/dirty.v1.Arbiter/Execute" => {
                let answered = self.arbiter.execute(request, &caller, &self.outstanding).await;
                answered.map(|(body, outstanding)| self.unary(body, outstanding, served))
            }
            "/dirty.v1.Arbiter/ExecuteStream" => {
                let answered =
                    self.arbiter.execute_stream(request, &caller, &self.outstanding).await;
                answered.map(|(body, outstanding)| Answer::Streaming { body, outstanding, served })
            }
            path => {
                if let Err(denied) = caller.may_use(path) {
                    return Ok(answer::refused(status::of_denied(&denied)));
                }
                if let Err(too_large) = self.arbiter.head_size(request.headers()) {
                    return Ok(answer::refused(too_large));
                }
                let response = self.others.clone().oneshot(request).await;
                let until_drain = |body| UntilDrain::new(body, self.draining.clone());
                return response.map(|response| {
                    response.map(|body| Answer::Other { body: until_drain(body), served })
                });
            }
        };
        Ok(answered.map_or_else(answer::refused, |body| {
            let mut response = Response::new(body);
            let grpc = HeaderValue::from_static("application/grpc");
            response.headers_mut().insert(CONTENT_TYPE, grpc);
            response
        }))
    }

    /// Answers a request of plain HTTP.
    async fn plain(
        &self,
        request: Request<Incoming>,
        caller: Arc<Caller>,
        served: Served,
    ) -> Response<Answer> {
        let (app, action) = match Target::of(request.method(), request.uri().path()) {
            Ok(Target::Call { app, action }) => (app, action),
            Ok(Target::Index) => return text(json::index()),
            Ok(Target::Apps) => {
                let snapshot = self.arbiter.snapshot().await;
                let apps = snapshot.map(|all| json::apps(&all, |app| caller.may_call(app).is_ok()));
                return text(apps.unwrap_or_else(|error| json::error(&error)));
            }
            Err(nothing) => return text(json::nothing(&nothing)),
        };
        let (arbiter, outstanding) = (&self.arbiter, &self.outstanding);
        let called = match Form::of(request.headers()) {
            Form::One => {
                let result =
                    arbiter.execute_json(request, (app, action), &caller, outstanding).await;
                result.map(|(result, outstanding)| {
                    let (length, body) = (result.len(), UnaryBody::bare(result));
                    json::one(self.unary(body, outstanding, served), length)
                })
            }
            form => {
                let chunks =
                    arbiter.stream_json(request, (app, action), &caller, outstanding).await;
                let begun = async |(chunks, outstanding)| {
                    let body = Lines::begun(form, chunks).await?;
                    Ok(json::streamed(Answer::Lines { body, outstanding, served }, form))
                };
                match chunks {
                    Ok(chunks) => begun(chunks).await,
                    Err(error) => Err(error),
                }
            }
        };
        called.unwrap_or_else(|error| Answer::text(json::error(&error), false))
    }

    /// The answer to Execute.
    fn unary(&self, body: UnaryBody, outstanding: OutstandingAnswer, served: Served) -> Answer {
        match body.is_large() {
            true => Answer::Large { body: self.unread.watched(body, served), outstanding },
            false => Answer::Unary { body, outstanding, served },
        }
    }
}

/// A short answer in JSON, for which there is no call.
fn text(response: Response<Bytes>) -> Response<Answer> {
    Answer::text(response, true)
}

/// Whether a path is that of a method of gRPC: `/package.Service/Method`.
fn is_service(path: &str) -> bool {
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    parts.is_some_and(|(service, _)| service.contains('.') && !service.contains(':'))
}
