//! A consistent picture of the pool, for `status`.

use std::time::Instant;

use super::{
    Machine,
    dispatch::AppQueue,
    fleet::{App, Worker},
    ids::AppId,
};
use crate::pool::{AppSnapshot, Snapshot, WorkerSnapshot};

impl Machine {
    /// The picture of this moment, but for the memory of workers, which is 0.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            workers: self.fleet.workers().map(|worker| self.worker_snapshot(worker, now)).collect(),
            apps: self.fleet.apps().map(|(id, app)| self.app_snapshot(id, app, now)).collect(),
            calls: self.dispatch.calls(),
            draining: self.phase.drain().is_some(),
            late_frames: self.late_frames,
            reloads: self.reloads,
        }
    }

    fn worker_snapshot(&self, worker: &Worker, now: Instant) -> WorkerSnapshot {
        let path = |app: AppId| self.fleet.app(app).path().to_owned();
        let failed = worker.apps.iter().filter(|(_, loaded)| loaded.has_failed());
        WorkerSnapshot {
            worker: worker.process,
            pool: self.fleet.pool(worker.seat.pool).config.name.clone(),
            state: worker.state(),
            apps: worker.ready_apps().map(path).collect(),
            failed_apps: failed.map(|(app, _)| path(*app)).collect(),
            in_flight: self.dispatch.load(worker.id()),
            threads: worker.threads,
            served: worker.served,
            age: now.saturating_duration_since(worker.started),
            memory: 0,
        }
    }

    fn app_snapshot(&self, id: AppId, app: &App, now: Instant) -> AppSnapshot {
        let queue = self.dispatch.queue(id);
        let waited = |call: &crate::call::Call| now.saturating_duration_since(call.request.arrived);
        let tally = self.dispatch.tally(id);
        let seats = self.fleet.seats(app.pool).filter(|(_, seat)| seat.apps.contains(&id));
        AppSnapshot {
            app: app.path().to_owned(),
            pool: self.fleet.pool(app.pool).config.name.clone(),
            queued: queue.map_or(0, AppQueue::len),
            queued_bytes: queue.map_or(0, AppQueue::bytes),
            limits: app.config.queue,
            oldest_wait: queue.and_then(AppQueue::oldest).map(|(_, call)| waited(call)),
            served: tally.served,
            failed: tally.failed,
            running: tally.running,
            ready_workers: self.dispatch.servers(id),
            allocated_workers: seats.count(),
            last_error: app.last_error.clone(),
        }
    }
}
