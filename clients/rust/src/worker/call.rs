//! The call that an action serves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::watch;

use super::AppError;
use crate::proto::worker::{self, ErrorKind};

/// Why a call is to end early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// Nobody waits for the answer any more.
    CallerGone,
    /// The caller's deadline has passed.
    Deadline,
    /// The call has run for its whole timeout; the worker is killed soon if it
    /// goes on.
    Timeout,
}

impl CancelReason {
    pub(super) fn of(reason: worker::CancelReason) -> Self {
        match reason {
            worker::CancelReason::Timeout => Self::Timeout,
            worker::CancelReason::Deadline => Self::Deadline,
            worker::CancelReason::CallerGone | worker::CancelReason::Unspecified => {
                Self::CallerGone
            }
        }
    }
}

/// What an action may know of the call that it serves. Cloning is cheap; a
/// clone may go to threads of the action's own.
#[derive(Debug, Clone)]
pub struct Call(Arc<Facts>);

#[derive(Debug)]
pub(super) struct Facts {
    pub app: String,
    pub action: String,
    pub request_id: String,
    pub deadline: Instant,
    pub metadata: Vec<worker::Metadata>,
    pub cancel: watch::Receiver<Option<CancelReason>>,
}

tokio::task_local! {
    static CURRENT: Call;
}

/// The call that runs on this thread.
///
/// # Panics
/// Outside of an action, or on a thread that the action started itself: give it
/// a clone of the [`Call`].
pub fn current_call() -> Call {
    CURRENT.try_with(Call::clone).expect("current_call() is for the thread of an action")
}

impl Call {
    pub(super) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// Runs a future in which [`current_call`] is this call.
    pub(super) async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// The app's name.
    pub fn app(&self) -> &str {
        &self.0.app
    }

    /// The action's name.
    pub fn action(&self) -> &str {
        &self.0.action
    }

    /// The caller's request id, or one that the arbiter made.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// When the call is to end.
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// How long until then.
    pub fn time_left(&self) -> Duration {
        self.0.deadline.saturating_duration_since(Instant::now())
    }

    /// The first value of the caller's gRPC metadata under a key in lower case.
    pub fn metadata(&self, key: &str) -> Option<&Bytes> {
        self.0.metadata.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The W3C `traceparent` of the caller, if there is one; `tracestate` and `baggage` are in
    /// [`Call::metadata`], too. The documentation of [`worker`](crate::worker) says how it becomes
    /// the context of OpenTelemetry.
    pub fn traceparent(&self) -> Option<&str> {
        std::str::from_utf8(self.metadata("traceparent")?).ok()
    }

    /// Why the call is to end early, if it is.
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        *self.0.cancel.borrow()
    }

    /// Whether the call is to end early.
    pub fn is_cancelled(&self) -> bool {
        self.cancel_reason().is_some()
    }

    /// An error to leave the action with, once the call is to end early: what
    /// long computations call now and then.
    ///
    /// # Errors
    /// The call is cancelled.
    pub fn check(&self) -> Result<(), AppError> {
        let Some(reason) = self.cancel_reason() else { return Ok(()) };
        let why = match reason {
            CancelReason::CallerGone => "its caller is gone",
            CancelReason::Deadline => "its caller's deadline has passed",
            CancelReason::Timeout => "it ran for its whole timeout",
        };
        let message = format!("{} {} was cancelled: {why}", self.app(), self.action());
        Err(AppError::refusal(ErrorKind::Cancelled, message))
    }

    /// Waits until the call is cancelled; gives the error to leave with.
    pub async fn cancelled(&self) -> AppError {
        let mut cancel = self.0.cancel.clone();
        if cancel.wait_for(Option::is_some).await.is_err() {
            // The call has ended; nobody cancels it any more.
            std::future::pending::<()>().await;
        }
        self.check().expect_err("a cancelled call stays cancelled")
    }
}
