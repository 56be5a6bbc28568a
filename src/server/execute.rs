//! Calls: from a request that is read to a submitted call, and to its outcome.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use tonic::Status;

use super::{
    access::Caller,
    chunks::{self, EncodedChunks},
    dialect::Keep,
    grpc::{StreamingBody, UnaryBody},
    held::Held,
    outstanding::{Outstanding, OutstandingAnswer},
    requests::{Asked, Kind, Requests},
    status,
};
use crate::{
    call::{CallError, CallFacts, CallRequest, Hold, Protocol, reply_channel, stream_channel},
    config::{Limits, Window},
    observe::{Observer, Watch},
    pool::{PoolHandle, Snapshot},
};

/// The service `dirty.v1.Arbiter`.
#[derive(Debug)]
pub struct ArbiterService {
    pool: PoolHandle,
    window: Window,
    requests: Requests,
    held: Held,
}

impl ArbiterService {
    /// A service that submits requests within `limits` to `pool`. A stream runs
    /// ahead of its reader by up to `window`.
    /// What it holds for callers is counted in `held`, and what becomes of calls told to
    /// `observer`.
    pub fn new(
        pool: PoolHandle,
        window: Window,
        limits: Limits,
        held: Held,
        observer: Arc<Observer>,
    ) -> Self {
        let requests = Requests::new(limits, held.clone(), observer);
        Self { pool, window, requests, held }
    }

    /// What reads its requests.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// The number of calls that the pool has.
    pub async fn calls(&self) -> usize {
        self.pool.status().await.map_or(0, |snapshot| snapshot.calls)
    }

    /// The pool, as it is.
    pub async fn snapshot(&self) -> Result<Snapshot, Status> {
        self.pool.status().await.ok_or_else(status::draining)
    }

    /// Execute. Dropping the future cancels the call. Its answer is one of `answers`.
    ///
    /// # Errors
    /// Why the call has no result.
    pub async fn execute(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(UnaryBody, OutstandingAnswer), Status> {
        let kind = (Protocol::Grpc, false);
        let read = self.requests.read(request, false, caller).await;
        let (call, mut watch) = self.asked(caller, kind, read)?;
        let (result, outstanding) = self.result(call, &mut watch, caller, answers).await?;
        watch.served(result.len());
        Ok((UnaryBody::new(result), outstanding))
    }

    /// ExecuteStream. Dropping the body cancels the call. Its answer is one of
    /// `answers`.
    ///
    /// # Errors
    /// The request is malformed. The end of the stream tells what became of the
    /// call.
    pub async fn execute_stream(
        &self,
        request: Request<Incoming>,
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(StreamingBody<EncodedChunks>, OutstandingAnswer), Status> {
        let kind = (Protocol::Grpc, true);
        let asked = self.asked(caller, kind, self.requests.read(request, true, caller).await)?;
        let (chunks, outstanding) = self.chunks(asked, caller, answers).await;
        Ok((StreamingBody::new(chunks).begun().await, outstanding))
    }

    /// What was read; if nothing was, that is told.
    ///
    /// # Errors
    /// As it was read.
    pub fn asked(
        &self,
        caller: &Caller,
        kind: Kind,
        read: Result<Asked, Status>,
    ) -> Result<Asked, Status> {
        read.inspect_err(|error| self.requests.refused(caller, kind, error))
    }

    /// What holds bytes for a caller that are made of a result or of chunks.
    pub fn keep(&self, caller: &Caller) -> Keep {
        let (held, of) = (self.held.clone(), caller.peer.principal());
        Box::new(move |bytes| {
            let none = CallFacts::default();
            held.hold(of, bytes).map_err(|no_room| status::no_room_for_result(no_room, &none))
        })
    }

    /// The result of a call, encoded as its request says. Dropping the future cancels the
    /// call. Its answer is one of `answers`. What its caller has of it is still to be told;
    /// `watch` is lent, because a future that owns it is larger for every call.
    ///
    /// # Errors
    /// Why the call has no result; that is told.
    pub async fn result(
        &self,
        call: Box<CallRequest>,
        watch: &mut Watch,
        caller: &Caller,
        answers: &Outstanding,
    ) -> Result<(Bytes, OutstandingAnswer), Status> {
        let outstanding = answers.begin();
        let (reply, answer) = reply_channel();
        let ticket = self.pool.submit(call, reply).await;
        let outcome = answer.await.unwrap_or(Err((CallError::Lost, None)));
        ticket.done();
        let facts = || watch.story().facts();
        let error = match outcome {
            Ok(payload) => match self.held.hold(caller.peer.principal(), payload) {
                Ok(result) => return Ok((result, outstanding)),
                Err(no_room) => status::no_room_for_result(no_room, &facts()),
            },
            Err((error, worker)) => status::of_call(error, worker, &facts()),
        };
        watch.failed(status::failed(&error));
        Err(error)
    }

    /// The chunks of a call, encoded as its request says. Dropping them cancels the call.
    /// Their end tells what became of it. Its answer is one of `answers`.
    pub async fn chunks(
        &self,
        (call, watch): Asked,
        caller: &Caller,
        answers: &Outstanding,
    ) -> (EncodedChunks, OutstandingAnswer) {
        let outstanding = answers.begin();
        let of = caller.peer.principal();
        let held = self.held.clone();
        let hold = Hold::new(move |chunk| held.hold(of, chunk).ok());
        let (reply, chunks) = stream_channel(self.window.chunks, hold);
        let ticket = self.pool.submit(call, reply).await;
        let held = (self.held.clone(), of);
        (chunks::encoded(chunks, ticket, self.window, held, watch), outstanding)
    }
}
