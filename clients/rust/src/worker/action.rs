//! From a request to its one outcome.
//!
//! ```text
//!   value   -> Response
//!   stream  -> Chunk ... End, within the credit
//!   error   -> Error
//!   cancel  -> the future is dropped, Error(CANCELLED)
//! ```

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};

use super::{
    AppError, Apps, Call, CancelReason,
    app::Kind,
    call::Facts,
    credit::Credit,
    payload::{Form, Opened, open},
    protocol::Agreement,
    said::{Outcome, Said},
};
use crate::{
    proto::worker::{ErrorKind, Request},
    value::Args,
};

/// What the worker runs by itself, and no caller.
const LIFE_CYCLE: [&str; 3] = ["init", "close", "preload"];

/// All that the run of a call needs.
pub struct Run {
    /// The frame that started it; its payload is decoded here.
    pub request: Request,
    /// How its frame is to be read.
    pub agreed: Arc<Agreement>,
    /// When it came.
    pub arrived: Instant,
    /// The apps.
    pub apps: Arc<Apps>,
    /// How it is cancelled.
    pub cancel: watch::Receiver<Option<CancelReason>>,
    /// The credit of a stream; none if one result is expected.
    pub credit: Option<Arc<Credit>>,
    /// The largest result or chunk.
    pub max_message_size: usize,
    /// Where chunks go.
    pub said: mpsc::Sender<Said>,
}

impl Run {
    /// Runs the call to its end.
    ///
    /// # Errors
    /// Whatever it is to be answered with.
    pub async fn run(mut self) -> Result<Outcome, AppError> {
        let Opened { form, app, action, args } = open(&mut self.request, &self.agreed)?;
        let call = Call::new(Facts {
            app,
            action,
            request_id: mem::take(&mut self.request.request_id),
            deadline: self.arrived + Duration::from_micros(self.request.timeout_micros),
            metadata: mem::take(&mut self.request.metadata),
            cancel: self.cancel.clone(),
        });
        let cancelled = call.clone();
        call.clone()
            .scope(async move {
                tokio::select! { biased;
                    error = cancelled.cancelled() => Err(error),
                    ended = self.follow(&call, args, form) => ended,
                }
            })
            .await
    }

    async fn follow(&self, call: &Call, args: Args, form: Form) -> Result<Outcome, AppError> {
        if call.action().starts_with('_') || LIFE_CYCLE.contains(&call.action()) {
            return Err(AppError::unknown_action(call.action()));
        }
        let app = self.apps.get(call.app()).ok_or_else(|| {
            let why = format!("this worker has not loaded the app `{}`", call.app());
            AppError::refusal(ErrorKind::InvalidRequest, why)
        })?;
        let seal = |value, what| form.seal(value, what, self.max_message_size);
        let mut chunks = match app.execute(call.action(), args).await?.0 {
            Kind::Value(value) => return Ok(Outcome::Response(seal(value, "result")?)),
            Kind::Stream(chunks) => chunks,
        };
        let credit = self.credit.as_ref().ok_or_else(|| {
            let why = format!("{} {} streams; use ExecuteStream", call.app(), call.action());
            AppError::refusal(ErrorKind::ActionStreams, why)
        })?;
        while let Some(chunk) = chunks.next().await {
            // A stream that never awaits gives nobody else a chance to say so.
            call.check()?;
            let payload = seal(chunk?, "chunk")?;
            credit.take(payload.len()).await;
            // The worker's task ends last; without it there is nobody to tell.
            drop(self.said.send(Said::Chunk(self.request.call_id, payload)).await);
        }
        Ok(Outcome::End)
    }
}
