//! The arrival of a request: it has a limit of time, from its head to its last
//! byte.

use std::{
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tonic::{Status, metadata::MetadataMap};

use super::{
    deadline::{self, Timeout},
    guarded::SMALL,
    held::{Held, Reservation},
    status,
};
use crate::{
    call::{CallError, Principal},
    clock::Deadline,
};

/// What is kept of a request while it arrives, counted for its user. A small one costs
/// nothing.
pub struct Arriving<'a> {
    held: &'a Held,
    of: Principal,
    head: usize,
    reservation: Option<Reservation>,
}

impl<'a> Arriving<'a> {
    /// A head of so many bytes.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn new(held: &'a Held, of: Principal, head: usize) -> Result<Self, Status> {
        let mut arriving = Self { held, of, head, reservation: None };
        arriving.keep(0)?;
        Ok(arriving)
    }

    /// So many bytes of the body have come.
    ///
    /// # Errors
    /// There is no room for them.
    pub fn keep(&mut self, body: usize) -> Result<(), Status> {
        let bytes = self.head + body;
        if bytes <= SMALL {
            return Ok(());
        }
        let nothing = || self.held.nothing(self.of);
        let reservation = self.reservation.get_or_insert_with(nothing);
        reservation.grow_to(bytes).map_err(status::no_room_for_request)
    }

    /// The whole body, which counts as long as it is there.
    pub fn around(self, body: Bytes) -> Bytes {
        match self.reservation {
            Some(reservation) => reservation.around(body),
            None => body,
        }
    }
}

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
    /// Those of a request whose head has just come; `protocols` is how its protocol tells
    /// a deadline.
    ///
    /// # Errors
    /// The caller's deadline is malformed.
    pub fn of(
        headers: &MetadataMap,
        protocols: &Timeout,
        request_timeout: Duration,
    ) -> Result<Self, Status> {
        let arrived = Instant::now();
        let caller_deadline =
            deadline::of_caller(headers, protocols, arrived).map_err(status::invalid_request)?;
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
