//! A worker process as the pool sees it, and the stages of its life.
//!
//! ```text
//!   Starting ──spawned──> Booting ──first list done, seat taken──> Serving
//!       \                    |                                        |
//!        not spawned         | not wanted                             | leaves its seat
//!                            v                                        v
//!                         Ending <──deadline passed────────────── Draining
//!                            \____________________ died ______________/
//! ```
//!
//! A worker may die in any stage; then its row is gone.

use std::{collections::BTreeMap, time::Instant};

use super::{
    super::ids::{AppId, SeatId, WorkerId},
    restart::Backoff,
};
use crate::{call::WorkerRef, clock::Deadline};

/// What a worker that is not ready is to its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It holds the seat.
    Holder,
    /// It will, once it is ready and good.
    Successor,
}

/// The stage of life of a worker process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The kernel is asked for it.
    Starting(Claim),
    /// Its first list of apps is loading.
    Booting {
        /// What it is to its seat.
        claim: Claim,
        /// How many imports it still owes, as a scout.
        importing: usize,
        /// The list is done: all that is left is to judge it.
        done: bool,
    },
    /// It holds its seat and takes calls.
    Serving {
        /// The app that occupies a slot because it is loaded again.
        loading: Option<AppId>,
        /// What is known of its memory.
        size: Size,
        /// When it may be replaced for its age, memory or calls at the earliest;
        /// moves when a replacement failed.
        recycle_after: Instant,
    },
    /// It has left its seat; it finishes its calls and exits.
    Draining,
    /// It has left its seat and was told to end now.
    Ending,
}

/// What is known of a worker's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// It was not measured yet.
    Unknown,
    /// It was within `max_memory` as soon as it was ready.
    Normal,
    /// It used more than `max_memory` as soon as it was ready: the next one
    /// would, too, so it is not replaced for that.
    Oversize,
}

/// The stage of a worker, for `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// Its apps are loading.
    Booting,
    /// It takes calls.
    Ready,
    /// It finishes its calls and exits, or is being killed.
    Draining,
}

/// An app in one worker.
#[derive(Debug)]
pub enum Loaded {
    /// Not yet.
    Pending,
    /// It takes calls.
    Ready,
    /// It failed and is tried again.
    Failed {
        /// When to try again; `Never` while a try runs.
        retry_at: Deadline,
        /// Its pauses so far.
        backoff: Backoff,
    },
}

impl Loaded {
    /// Whether it failed to load.
    pub fn has_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// When it is to be tried again.
    pub fn retry_at(&self) -> Deadline {
        match self {
            Self::Failed { retry_at, .. } => *retry_at,
            Self::Pending | Self::Ready => Deadline::Never,
        }
    }
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    /// Its number and, once it was started, its process.
    pub process: WorkerRef,
    /// Its seat, or the one that it has left.
    pub seat: SeatId,
    /// The number of its slots.
    pub threads: u32,
    /// Its stage of life.
    pub stage: Stage,
    /// When it was started.
    pub started: Instant,
    /// What it loads.
    pub apps: BTreeMap<AppId, Loaded>,
    /// Whether some app may have to be tried again: looked at after each call.
    pub may_retry: bool,
    /// What failed to load cannot be tried again in this process.
    pub is_spoiled: bool,
    /// Calls that it has completed.
    pub served: u64,
    /// After how many calls it is replaced.
    pub max_requests: Option<u64>,
    /// How many calls it has completed of each app that has a rule of its own,
    /// and after how many it is replaced.
    pub app_requests: BTreeMap<AppId, (u64, u64)>,
}

impl Worker {
    /// Its number.
    pub fn id(&self) -> WorkerId {
        self.process.id
    }

    /// Whether it holds its seat and takes calls.
    pub fn is_serving(&self) -> bool {
        matches!(self.stage, Stage::Serving { .. })
    }

    /// Whether it imports, or is going to, before it loads.
    pub fn may_scout(&self) -> bool {
        matches!(self.stage, Stage::Starting(_))
            || matches!(self.stage, Stage::Booting { importing, .. } if importing > 0)
    }

    /// Whether it has loaded what it was to load: then it has something to close.
    pub fn has_booted(&self) -> bool {
        matches!(self.stage, Stage::Booting { done: true, .. } | Stage::Serving { .. })
    }

    /// Whether it has left its seat.
    pub fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Draining | Stage::Ending)
    }

    /// What it is to its seat; `None` once it has left that.
    pub fn claim(&self) -> Option<Claim> {
        match self.stage {
            Stage::Starting(claim) | Stage::Booting { claim, .. } => Some(claim),
            Stage::Serving { .. } => Some(Claim::Holder),
            Stage::Draining | Stage::Ending => None,
        }
    }

    /// It holds its seat from now on, if it boots still.
    pub fn holds_its_seat(&mut self) {
        match &mut self.stage {
            Stage::Starting(claim) | Stage::Booting { claim, .. } => *claim = Claim::Holder,
            Stage::Serving { .. } | Stage::Draining | Stage::Ending => {}
        }
    }

    /// The app that occupies one of its slots because it is loaded again.
    pub fn loading(&self) -> Option<AppId> {
        match self.stage {
            Stage::Serving { loading, .. } => loading,
            _ => None,
        }
    }

    /// Notes which app occupies one of its slots; false if it does not serve.
    pub fn set_loading(&mut self, app: Option<AppId>) -> bool {
        match &mut self.stage {
            Stage::Serving { loading, .. } => *loading = app,
            _ => return false,
        }
        true
    }

    /// Whether a call to the app may wait for this worker.
    pub fn gives_hope(&self, app: AppId) -> bool {
        let gives = |loaded: &Loaded| match loaded {
            Loaded::Pending | Loaded::Ready => true,
            // It has got the app only now, and tries it for the first time.
            Loaded::Failed { backoff, .. } => backoff.failures() == 0,
        };
        !self.is_leaving() && self.apps.get(&app).is_some_and(gives)
    }

    /// The apps that it can serve.
    pub fn ready_apps(&self) -> impl Iterator<Item = AppId> {
        let ready = self.apps.iter().filter(|(_, loaded)| matches!(loaded, Loaded::Ready));
        ready.map(|(app, _)| *app)
    }

    /// When the next of its apps is to be tried again. What is due already is
    /// tried as soon as there is a slot.
    pub fn next_retry_after(&self, now: Instant) -> Deadline {
        let retries = self.apps.values().map(Loaded::retry_at);
        retries.filter(|at| !at.is_over(now)).min().unwrap_or(Deadline::Never)
    }

    /// Its stage, for `status`.
    pub fn state(&self) -> WorkerState {
        match self.stage {
            Stage::Starting(_) | Stage::Booting { .. } => WorkerState::Booting,
            Stage::Serving { .. } => WorkerState::Ready,
            Stage::Draining | Stage::Ending => WorkerState::Draining,
        }
    }
}
