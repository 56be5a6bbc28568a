//! A consistent picture of the pool, for `status`.

use std::time::{Duration, Instant};

use super::{
    ids::AppId,
    queue::AppQueue,
    tables::{Loaded, WorkerState},
    task::Pool,
};
use crate::{call::WorkerRef, config::QueueLimits, process::memory::resident_bytes};

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
    /// Calls completed.
    pub served: u64,
    /// Since its start.
    pub age: Duration,
    /// Resident bytes.
    pub memory: u64,
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
    /// Workers that shall.
    pub allocated_workers: usize,
    /// Why it cannot be loaded.
    pub last_error: Option<String>,
}

impl Pool {
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            workers: self.workers.keys().map(|id| self.worker_snapshot(*id)).collect(),
            apps: (0..self.apps.len())
                .filter(|app| !self.apps[*app].removed)
                .map(|app| self.app_snapshot(AppId(app)))
                .collect(),
            calls: self.calls.len(),
            draining: self.drain.is_some(),
            late_frames: self.late_frames,
            reloads: self.reloads,
        }
    }

    fn worker_snapshot(&self, id: u64) -> WorkerSnapshot {
        let worker = &self.workers[&id];
        let paths = |wanted: fn(&Loaded) -> bool| {
            (worker.apps.iter())
                .filter(|(_, loaded)| wanted(loaded))
                .map(|(app, _)| self.apps[app.0].config.path.clone())
                .collect()
        };
        let config = &self.groups[worker.place.0].config;
        WorkerSnapshot {
            worker: worker.handle.worker,
            pool: config.name.clone(),
            state: worker.state,
            apps: paths(|loaded| matches!(loaded, Loaded::Ready)),
            failed_apps: paths(|loaded| matches!(loaded, Loaded::Failed { .. })),
            in_flight: self.scheduler.load(id),
            threads: config.threads.get(),
            served: worker.served,
            age: worker.started.elapsed(),
            memory: resident_bytes(worker.handle.worker.pid).unwrap_or(0),
        }
    }

    fn app_snapshot(&self, app: AppId) -> AppSnapshot {
        let row = &self.apps[app.0];
        let group = &self.groups[row.group];
        let queue = self.scheduler.queue(app);
        let now = Instant::now();
        AppSnapshot {
            app: row.config.path.clone(),
            pool: group.config.name.clone(),
            queued: queue.map_or(0, AppQueue::len),
            queued_bytes: queue.map_or(0, AppQueue::bytes),
            limits: row.config.queue,
            oldest_wait: queue
                .and_then(AppQueue::head)
                .map(|(_, call)| now.duration_since(call.request.arrived)),
            served: row.served,
            failed: row.failed,
            running: row.running,
            ready_workers: row.ready,
            allocated_workers: group.seats.iter().filter(|seat| seat.apps.contains(&app)).count(),
            last_error: row.last_error.clone(),
        }
    }
}
