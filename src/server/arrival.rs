//! The arrival of a request: it has a limit of time, from its head to its last
//! byte.

use std::{
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use tonic::{Status, metadata::MetadataMap};

use super::{deadline, status};
use crate::{call::CallError, clock::Deadline};

/// When a request came, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// When its head was there.
    pub arrived: Instant,
    /// The caller's own deadline.
    pub caller_deadline: Deadline,
    /// How long it may take to be there whole; zero for no limit.
    pub request_timeout: Duration,
}

impl Times {
    /// Those of a request whose head has just come.
    ///
    /// # Errors
    /// The caller's deadline is malformed.
    pub fn of(headers: &MetadataMap, request_timeout: Duration) -> Result<Self, Status> {
        let arrived = Instant::now();
        let caller_deadline =
            deadline::of_caller(headers, arrived).map_err(status::invalid_request)?;
        Ok(Self { arrived, caller_deadline, request_timeout })
    }

    /// Waits for the rest of the request.
    ///
    /// # Errors
    /// It took too long, or what `rest` says.
    pub async fn whole<T>(
        &self,
        rest: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let mut rest = pin!(rest);
        // Most are there already, and cost no timer.
        let now = std::future::poll_fn(|cx| Poll::Ready(rest.as_mut().poll(cx))).await;
        if let Poll::Ready(whole) = now {
            return whole;
        }
        let own = match self.request_timeout {
            Duration::ZERO => Deadline::Never,
            timeout => Deadline::after(self.arrived, timeout),
        };
        let Some(by) = own.min(self.caller_deadline).instant() else { return rest.await };
        match tokio::time::timeout_at(by.into(), rest).await {
            Ok(whole) => whole,
            Err(_) if self.caller_deadline <= own => {
                let waited = self.arrived.elapsed();
                Err(status::of_call(CallError::DeadlineOver { waited }, None, &Default::default()))
            }
            Err(_) => Err(status::request_too_slow(self.request_timeout)),
        }
    }
}
