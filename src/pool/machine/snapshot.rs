//! A consistent picture of the pool, for `status`.

use std::time::{Duration, Instant};

use super::{
    Machine,
    dispatch::AppQueue,
    fleet::{App, Worker},
    ids::AppId,
};
use crate::{
    call::{Call, CallView, PlaceView, Reply, WaitReason},
    pool::{AppSnapshot, Snapshot, WorkerSnapshot},
    printable::count,
};

impl Machine {
    /// The picture of this moment, but for the memory and the processor time of workers, which
    /// are 0.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            workers: self.fleet.workers().map(|worker| self.worker_snapshot(worker, now)).collect(),
            apps: self.fleet.apps().map(|(id, app)| self.app_snapshot(id, app, now)).collect(),
            calls: self.dispatch.calls(),
            draining: self.phase.drain().is_some(),
            late_frames: self.late_frames,
            reloads: self.reloads,
            pools: (self.fleet.pool_ids().into_iter())
                .map(|id| self.fleet.pool(id))
                .map(|pool| (pool.config.name.clone(), pool.seats.len()))
                .collect(),
            measures: self.measures.all(),
        }
    }

    /// The calls that wait, oldest first within each app.
    pub fn waiting_calls(&self) -> Vec<CallView> {
        let of_app = |(id, app)| {
            let waiting = self.dispatch.waiting(id).enumerate();
            waiting.map(move |(before, call)| self.waiting_call(id, app, call, before))
        };
        self.fleet.apps().flat_map(of_app).collect()
    }

    fn waiting_call(&self, id: AppId, app: &App, call: &Call, before: usize) -> CallView {
        let request = &call.request;
        let (user, servers) = (request.peer.principal(), self.dispatch.servers(id));
        let (reason, message) = if servers == 0 {
            let why = app.last_error.as_deref().and_then(|error| error.lines().last());
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            (WaitReason::Worker, format!("a worker that has loaded its app; none is ready{why}"))
        } else if !self.dispatch.may_begin(user, request.quota) {
            let most = request.quota.max_running.unwrap_or_default();
            (
                WaitReason::UserLimit,
                format!("the end of another call of {user}, of which {most} may run (max_running)"),
            )
        } else {
            let workers = count(u64::from(servers), "worker");
            let calls = match before {
                0 => String::new(),
                _ => format!("; {} of its app came before", count(before as u64, "call")),
            };
            (WaitReason::Slot, format!("a free slot in {workers}{calls}"))
        };
        CallView {
            id: call.id,
            app: request.app.clone(),
            action: request.action.clone(),
            stream: matches!(call.reply, Reply::Stream(_)),
            arrived: request.arrived,
            answer_by: call.queue_deadline(),
            peer: request.peer.clone(),
            request_id: request.request_id.clone(),
            place: PlaceView::Waits { reason, message },
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
            abandoned: self.dispatch.abandoned_in(worker.id()),
            served: worker.served,
            age: now.saturating_duration_since(worker.started),
            memory: 0,
            cpu_time: Duration::ZERO,
            seat: worker.seat.index,
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
