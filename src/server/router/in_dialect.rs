//! Methods of services in a dialect of gRPC.

use std::sync::Arc;

use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tonic::Status;

use super::{
    super::{
        access::Caller,
        answer::{self, Answer},
        dialect::{self, Codec, Described, Dialect, Framing},
        grpc::{self, NotGrpc, StreamingBody, UnaryBody},
        lifetime::Served,
        status,
    },
    EXECUTE, EXECUTE_STREAM, Router,
};

impl Router {
    /// Answers a request to a method. `why` it is not gRPC over HTTP/2.
    pub(super) async fn in_dialect(
        &self,
        request: Request<Incoming>,
        why: NotGrpc,
        caller: Arc<Caller>,
        served: Served,
    ) -> Response<Answer> {
        let dialect = match Dialect::of(&request) {
            Ok(dialect) => dialect,
            Err(_) if request.version() >= Version::HTTP_2 => return answer::not_grpc(&why),
            Err(misfit) => return Answer::text(dialect::refused(&misfit), true),
        };
        if dialect.framing == Framing::Grpc
            && let Err(why) = grpc::check_trailers(request.headers())
        {
            return answer::not_grpc(&why);
        }
        let path = request.uri().path();
        let Some(method) = self.services.messages().method(path) else {
            let mut response = refused(dialect, status::no_method(path));
            if dialect.framing == Framing::ConnectUnary {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            return response;
        };
        if let Err(misfit) = dialect.fits(method.streams) {
            return Answer::text(dialect::refused(&misfit), true);
        }
        let described = Described { messages: self.services.messages(), method: &method };
        let answered = match path {
            EXECUTE => self.execute_in(dialect, described, request, &caller, served).await,
            EXECUTE_STREAM => self.stream_in(dialect, described, request, &caller, served).await,
            _ => self.other_in(dialect, described, request, &caller, served).await,
        };
        answered.unwrap_or_else(|error| refused(dialect, error))
    }

    async fn execute_in(
        &self,
        dialect: Dialect,
        described: Described<'_>,
        request: Request<Incoming>,
        caller: &Caller,
        served: Served,
    ) -> Result<Response<Answer>, Status> {
        let read = self.arbiter.requests().read_in(dialect, described, request, caller).await;
        let (call, mut watch) = self.arbiter.asked(caller, (dialect.protocol(), false), read)?;
        let answered = self.arbiter.result(call, &mut watch, caller, &self.outstanding);
        let (result, outstanding) = answered.await?;
        let keep = self.arbiter.keep(caller);
        if dialect.framing != Framing::ConnectUnary {
            watch.served(result.len());
            let answer = self.unary(UnaryBody::new(result), outstanding, served);
            return Ok(dialect::translated(Response::new(answer), dialect, Some(described), keep));
        }
        let message = match dialect.codec {
            Codec::Proto => Ok(result),
            Codec::Json => described.to_json(result).await.and_then(keep),
        };
        let message = message.inspect_err(|error| watch.failed(status::failed(error)))?;
        watch.served(message.len());
        let (length, body) = (message.len(), UnaryBody::bare(message));
        Ok(dialect::unary(self.unary(body, outstanding, served), length, dialect))
    }

    async fn stream_in(
        &self,
        dialect: Dialect,
        described: Described<'_>,
        request: Request<Incoming>,
        caller: &Caller,
        served: Served,
    ) -> Result<Response<Answer>, Status> {
        let read = self.arbiter.requests().read_in(dialect, described, request, caller).await;
        let asked = self.arbiter.asked(caller, (dialect.protocol(), true), read)?;
        let (chunks, outstanding) = self.arbiter.chunks(asked, caller, &self.outstanding).await;
        let body = StreamingBody::new(chunks).begun().await;
        let answer = Response::new(Answer::Streaming { body, outstanding, served });
        Ok(dialect::translated(answer, dialect, Some(described), self.arbiter.keep(caller)))
    }

    async fn other_in(
        &self,
        dialect: Dialect,
        described: Described<'_>,
        request: Request<Incoming>,
        caller: &Caller,
        served: Served,
    ) -> Result<Response<Answer>, Status> {
        caller.may_use(request.uri().path()).map_err(|denied| status::of_denied(&denied))?;
        let requests = self.arbiter.requests();
        let request = requests.read_other(dialect, described, request, caller).await?;
        let Ok(response) = self.other(request, served).await;
        Ok(match dialect.framing {
            Framing::ConnectUnary => {
                Answer::text(dialect::unary_of(response, dialect, described).await, true)
            }
            _ => {
                let keep = self.arbiter.keep(caller);
                dialect::translated(response, dialect, Some(described), keep)
            }
        })
    }
}

/// An answer that is an error from the start.
fn refused(dialect: Dialect, error: Status) -> Response<Answer> {
    match dialect.framing {
        Framing::ConnectUnary => Answer::text(dialect::failed(&error), false),
        // Nothing is made of it but its ending.
        _ => dialect::translated(answer::refused(error), dialect, None, Box::new(Ok)),
    }
}
