//! The place of one worker in a pool. Workers come and go; the seat keeps what
//! they load.

use std::{collections::BTreeMap, time::Instant};

use super::{
    super::ids::{AppId, WorkerId},
    restart::Backoff,
};
use crate::clock::Deadline;

/// Who sits in a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Holder {
    /// Nobody: it is to be filled, or waits for what the scout finds out.
    #[default]
    Nobody,
    /// Nobody for a while.
    Pausing {
        /// When the next worker starts.
        until: Instant,
        /// Why it waits.
        cause: Pause,
    },
    /// This worker.
    Worker(WorkerId),
}

/// Why a seat waits before its next worker starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// The last one never became ready.
    NeverReady,
    /// Too many workers of the pool died (the restart intensity).
    TooManyDeaths,
}

/// A seat.
#[derive(Debug, Default)]
pub struct Seat {
    /// What its worker loads.
    pub apps: Vec<AppId>,
    /// Who sits there.
    pub holder: Holder,
    /// The worker that is going to replace the holder, once it is ready.
    pub successor: Option<WorkerId>,
    /// Workers that never became ready.
    pub backoff: Backoff,
    /// Apps that took their worker down while they loaded, with when they are
    /// tried again: whatever worker sits there then.
    pub deadly: BTreeMap<AppId, (Deadline, Backoff)>,
}

impl Seat {
    /// Its worker.
    pub fn occupant(&self) -> Option<WorkerId> {
        match self.holder {
            Holder::Worker(id) => Some(id),
            Holder::Nobody | Holder::Pausing { .. } => None,
        }
    }

    /// When its next worker starts, if it waits for that.
    pub fn restart_at(&self) -> Deadline {
        match self.holder {
            Holder::Pausing { until, .. } => until.into(),
            Holder::Nobody | Holder::Worker(_) => Deadline::Never,
        }
    }

    /// Why it waits, if it does.
    pub fn pause(&self) -> Option<Pause> {
        match self.holder {
            Holder::Pausing { cause, .. } => Some(cause),
            Holder::Nobody | Holder::Worker(_) => None,
        }
    }

    /// Its next worker starts at once, whatever happened before: something changed.
    pub fn try_afresh(&mut self) {
        if self.occupant().is_none() {
            self.holder = Holder::Nobody;
            self.backoff.succeeded();
            self.deadly.clear();
        }
    }
}
