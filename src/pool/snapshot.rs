//! A consistent picture of the pool, for `status`.

use std::{collections::BTreeMap, time::Duration};

use super::{Measures, WorkerState};
use crate::{call::WorkerRef, config::QueueLimits};

/// The pool at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The workers, oldest first.
    pub workers: Vec<WorkerSnapshot>,
    /// The apps, in the order of the configuration.
    pub apps: Vec<AppSnapshot>,
    /// Calls queued or running.
    pub calls: usize,
    /// Whether the arbiter drains.
    pub draining: bool,
    /// Frames for calls that had ended.
    pub late_frames: u64,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// The pools that are configured, with the number of their seats.
    pub pools: Vec<(String, usize)>,
    /// What was counted of the life of workers, by the name of the pool.
    pub measures: BTreeMap<String, Measures>,
}

/// One worker.
#[derive(Debug)]
pub struct WorkerSnapshot {
    /// The process.
    pub worker: WorkerRef,
    /// Its pool.
    pub pool: String,
    /// Its stage of life.
    pub state: WorkerState,
    /// Apps that it can serve.
    pub apps: Vec<String>,
    /// Apps that failed to load in it.
    pub failed_apps: Vec<String>,
    /// Slots taken.
    pub in_flight: u32,
    /// Slots.
    pub threads: u32,
    /// Slots whose calls nobody waits for.
    pub abandoned: u32,
    /// Calls completed.
    pub served: u64,
    /// Since its start.
    pub age: Duration,
    /// Resident bytes.
    pub memory: u64,
    /// The processor time since its start.
    pub cpu_time: Duration,
    /// Its seat within its pool.
    pub seat: usize,
}

/// One app.
#[derive(Debug)]
pub struct AppSnapshot {
    /// Its path.
    pub app: String,
    /// Its pool.
    pub pool: String,
    /// Calls waiting.
    pub queued: usize,
    /// The bytes of their requests.
    pub queued_bytes: u64,
    /// The limits of both.
    pub limits: QueueLimits,
    /// How long the oldest has waited.
    pub oldest_wait: Option<Duration>,
    /// Calls that ended with a result.
    pub served: u64,
    /// Calls that ended with an error.
    pub failed: u64,
    /// Calls in a slot.
    pub running: u32,
    /// Workers that can serve it.
    pub ready_workers: u32,
    /// Workers that should.
    pub allocated_workers: usize,
    /// Why it cannot be loaded.
    pub last_error: Option<String>,
}
