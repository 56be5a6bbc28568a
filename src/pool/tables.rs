//! The rows of the pool's tables.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{
    allocation::Share,
    ids::{AppId, WorkerId},
    restart::{Backoff, Deaths},
};
use crate::{
    config::{AppConfig, PoolConfig},
    worker::WorkerHandle,
};

/// An app.
#[derive(Debug)]
pub struct App {
    /// Its configuration; `config.path` is its name.
    pub config: AppConfig,
    /// Its pool: an index into the groups.
    pub group: usize,
    /// In how many seats it is loaded.
    pub share: Share,
    /// Calls that ended with a result.
    pub served: u64,
    /// Calls that ended with an error.
    pub failed: u64,
    /// Calls that occupy a slot.
    pub running: u32,
    /// How many workers can serve it now.
    pub ready: u32,
    /// Why it cannot be loaded, as callers are told.
    pub last_error: Option<String>,
    /// A reload takes it out: old workers still serve it, new ones do not load it.
    pub leaving: bool,
    /// It is no longer served.
    pub removed: bool,
}

/// A pool of the configuration: its seats.
#[derive(Debug)]
pub struct Group {
    /// Its configuration.
    pub config: Arc<PoolConfig>,
    /// One seat per worker that shall run.
    pub seats: Vec<Seat>,
    /// Recent deaths, for the restart intensity.
    pub deaths: Deaths,
    /// True while the first worker finds out what the others shall load.
    pub scouting: bool,
    /// A reload took it out of the configuration.
    pub removed: bool,
}

/// The place of one worker. Workers come and go; the seat keeps what they load.
#[derive(Debug, Default)]
pub struct Seat {
    /// What its worker loads.
    pub apps: Vec<AppId>,
    /// Its worker.
    pub occupant: Option<WorkerId>,
    /// The worker that is going to replace it, once it is ready.
    pub successor: Option<WorkerId>,
    /// When to start a worker, if there is none.
    pub restart_at: Option<Instant>,
    /// Workers that never became ready.
    pub backoff: Backoff,
    /// Too many deaths: the seat waits, and callers are not told to.
    pub paused: bool,
    /// Apps that took their worker down while they loaded.
    pub deadly: BTreeMap<AppId, Backoff>,
}

/// What a worker process is to its seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It holds the seat.
    Occupant,
    /// It is going to, once it is ready.
    Successor,
    /// It has left the seat.
    Leaving,
}

/// The stage of life of a worker process.
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
        /// When to try again; `None` while a try runs.
        retry_at: Option<Instant>,
        /// Its pauses so far.
        backoff: Backoff,
    },
}

/// A worker process.
#[derive(Debug)]
pub struct Worker {
    /// Its task.
    pub handle: WorkerHandle,
    /// Its pool and seat.
    pub place: (usize, usize),
    /// What it is to its seat.
    pub role: Role,
    /// Its stage of life.
    pub state: WorkerState,
    /// When it was started.
    pub started: Instant,
    /// What it loads.
    pub apps: BTreeMap<AppId, Loaded>,
    /// How many imports it still owes, as a scout.
    pub importing: usize,
    /// Whether some app may have to be tried again: looked at after each call.
    pub may_retry: bool,
    /// The app that occupies a slot because it is loaded again.
    pub reloading_app: Option<AppId>,
    /// Calls that it has completed.
    pub served: u64,
    /// After how many calls it is replaced.
    pub max_requests: Option<u64>,
    /// How many calls it has completed of each app that has a rule of its own,
    /// and after how many it is replaced.
    pub app_requests: BTreeMap<AppId, (u64, u64)>,
    /// It used more than `max_memory` as soon as it was ready: the next one would,
    /// too, so it is not replaced for that.
    pub oversize: bool,
    /// When it may be replaced for its age, memory or calls at the earliest;
    /// moves when a replacement failed.
    pub recycle_after: Instant,
}

impl Worker {
    /// Whether it is in its seat and takes calls.
    pub fn is_serving(&self) -> bool {
        self.role == Role::Occupant && self.state == WorkerState::Ready
    }

    /// Whether a call to the app may wait for this worker.
    pub fn gives_hope(&self, app: AppId) -> bool {
        let stays = self.role != Role::Leaving
            && matches!(self.state, WorkerState::Booting | WorkerState::Ready);
        stays && matches!(self.apps.get(&app), Some(Loaded::Pending | Loaded::Ready))
    }
}
