//! Plain HTTP: what is no method of a service.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tonic::Status;

use super::{
    super::{
        access::Caller,
        answer::Answer,
        grpc::UnaryBody,
        json::{self, Form, Lines, Target},
        lifetime::Served,
        scrape::Scrape,
        status,
    },
    Router,
};
use crate::call::Protocol;

impl Router {
    /// Answers a request of plain HTTP.
    pub(super) async fn plain(
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
            Ok(Target::Metrics) => {
                if let Err(denied) = caller.may_use("/dirty.v1.Admin/Status") {
                    return text(json::error(&status::of_denied(&denied)));
                }
                return text(self.scrape.metrics(request.headers()).await);
            }
            Ok(Target::Lives) => return text(Scrape::healthz()),
            Ok(Target::Ready) => return text(self.scrape.readyz().await),
            Err(nothing) => return text(json::nothing(&nothing)),
        };
        let form = Form::of(request.headers());
        let call = self.call(request, (app, action), form, &caller, served);
        call.await.unwrap_or_else(|error| Answer::text(json::error(&error), false))
    }

    /// Answers a call.
    async fn call(
        &self,
        request: Request<Incoming>,
        names: (String, String),
        form: Form,
        caller: &Caller,
        served: Served,
    ) -> Result<Response<Answer>, Status> {
        let (arbiter, outstanding) = (&self.arbiter, &self.outstanding);
        let stream = form != Form::One;
        let read = arbiter.requests().read_json(request, names, stream, caller).await;
        let (asked, mut watch) = arbiter.asked(caller, (Protocol::Http, stream), read)?;
        if form == Form::One {
            let answered = arbiter.result(asked, &mut watch, caller, outstanding);
            let (result, outstanding) = answered.await?;
            watch.served(result.len());
            let (length, body) = (result.len(), UnaryBody::bare(result));
            return Ok(json::one(self.unary(body, outstanding, served), length));
        }
        let (chunks, outstanding) = arbiter.chunks((asked, watch), caller, outstanding).await;
        let body = Lines::begun(form, chunks).await?;
        Ok(json::streamed(Answer::Lines { body, outstanding, served }, form))
    }
}

/// A short answer in JSON, for which there is no call.
fn text(response: Response<Bytes>) -> Response<Answer> {
    Answer::text(response, true)
}
