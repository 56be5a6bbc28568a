//! Which service answers a request. The arbiter's own two methods are matched
//! first and by hand, because every call passes here.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::{body::Body, service::Routes};
use tower::Service;

use super::{execute::ArbiterService, limit::LimitedBody, raw::arbiter_server::ArbiterServer};

type BoxFuture =
    std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send + 'static>>;

/// All services of the socket.
#[derive(Clone)]
pub struct Router {
    arbiter: ArbiterServer<ArbiterService>,
    others: Routes,
    max_message_size: usize,
}

impl Router {
    /// A router to the arbiter and to the `others`: admin, health, reflection.
    pub fn new(arbiter: ArbiterService, others: Routes, max_message_size: usize) -> Self {
        // The limit is `LimitedBody`'s; results are limited by the worker.
        let arbiter = ArbiterServer::new(arbiter)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX);
        Self { arbiter, others, max_message_size }
    }
}

impl Service<Request<Incoming>> for Router {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> BoxFuture {
        let limit = self.max_message_size;
        let request = request.map(|body| Body::new(LimitedBody::new(body, limit)));
        if request.uri().path().starts_with("/dirty.v1.Arbiter/") {
            return self.arbiter.call(request);
        }
        Box::pin(self.others.call(request))
    }
}
