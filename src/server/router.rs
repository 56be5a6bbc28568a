//! Which service answers a request. The arbiter's own two methods are matched
//! first and by hand, because every call passes here.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use hyper::body::Incoming;
use tokio::sync::watch;
use tonic::service::Routes;
use tower::ServiceExt as _;

use super::{
    access::Caller,
    answer::{self, Answer},
    execute::ArbiterService,
    grpc,
    lifetime::Served,
    outstanding::Outstanding,
    status,
    until_drain::UntilDrain,
};

/// All services of the edge.
pub struct Router {
    arbiter: ArbiterService,
    others: Routes,
    outstanding: Outstanding,
    draining: watch::Receiver<bool>,
}

impl Router {
    /// A router to the arbiter and to the `others`: admin, health, reflection.
    /// Once `draining` is true, answers of the others that have no end are ended.
    pub fn new(arbiter: ArbiterService, others: Routes, draining: watch::Receiver<bool>) -> Self {
        Self { arbiter, others, outstanding: Outstanding::default(), draining }
    }

    /// The answers of the arbiter that have not left. Answers of the others do
    /// not count, because a drain ends them.
    pub fn outstanding(&self) -> &Outstanding {
        &self.outstanding
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
            return Ok(answer::not_grpc(&why));
        }
        let answered = match request.uri().path() {
            "/dirty.v1.Arbiter/Execute" => {
                let outstanding = self.outstanding.begin();
                let body = self.arbiter.execute(request, &caller).await;
                body.map(|body| Answer::Unary { body, outstanding, served })
            }
            "/dirty.v1.Arbiter/ExecuteStream" => {
                let outstanding = self.outstanding.begin();
                let body = self.arbiter.execute_stream(request, &caller).await;
                body.map(|body| Answer::Streaming { body, outstanding, served })
            }
            path => {
                if let Err(denied) = caller.may_use(path) {
                    return Ok(answer::refused(status::of_denied(&denied)));
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
}
