//! Calls: from the edge into a queue or a worker, and out of the tables again.

use std::time::{Duration, Instant};

use super::{
    ids::{AppId, WorkerId},
    journal::{About, EventKind},
    queue::{AppQueue, Full},
    scheduler::{Taken, Verdict},
    tables::Loaded,
    task::{Place, Pool},
};
use crate::{
    call::{Call, CallError, CallId, CallRequest, Credit, QueueBound, Reply},
    config::QueueLimits,
    worker::Control,
};

impl Pool {
    pub(super) fn submit(&mut self, id: CallId, request: CallRequest, reply: Reply) {
        let app = self.app_ids.get(&request.app).copied();
        let Some(app) = app.filter(|app| !self.apps[app.0].removed) else {
            return reply.fail(CallError::AppNotFound { app: request.app }, None);
        };
        if self.drain.as_ref().is_some_and(|drain| drain.refuses_calls()) {
            return self.refuse(app, reply, CallError::Draining);
        }
        if reply.is_closed() {
            // Its cancel came before it: cancels rank first.
            return self.refuse(app, reply, CallError::Cancelled);
        }
        let timeout = self.apps[app.0].config.timeout;
        let call = Call { id, request, timeout, reply, deaths: 0 };
        let (now, deadline) = (Instant::now(), call.queue_deadline());
        if deadline.is_over(now) {
            let waited = now.duration_since(call.request.arrived);
            return self.refuse(app, call.reply, CallError::QueueTimeout { waited });
        }
        if !self.has_hope(app) {
            let error = self.no_workers(app);
            return self.refuse(app, call.reply, error);
        }
        let size = call.size();
        match self.scheduler.submit(app, id, deadline, size, call) {
            Verdict::Assigned(worker, call) => self.assign(worker, app, call),
            Verdict::Queued => {
                self.calls.insert(id, Place::Queued(app));
                self.arm(deadline);
            }
            Verdict::Full(full, call) => {
                let error = self.queue_full(app, full, size);
                self.refuse(app, call.reply, error);
            }
        }
    }

    /// The caller left.
    pub(super) fn cancel(&mut self, id: CallId) {
        match self.calls.get(&id) {
            Some(Place::Queued(app)) => {
                let app = *app;
                self.scheduler.take(app, id);
                self.calls.remove(&id);
                self.apps[app.0].failed += 1;
                self.end_drain_if_idle();
            }
            Some(Place::Running(_, worker)) => {
                if let Some(worker) = self.workers.get(worker) {
                    worker.handle.tell(Control::Cancel(id));
                }
            }
            None => {} // it had its outcome already
        }
    }

    /// The reader of a stream took so much: its worker may go on.
    pub(super) fn pass_credit(&mut self, id: CallId, credit: Credit) {
        if let Some(Place::Running(_, worker)) = self.calls.get(&id)
            && let Some(worker) = self.workers.get(worker)
        {
            worker.handle.tell(Control::Credit(id, credit));
        }
    }

    pub(super) fn on_finished(&mut self, worker: WorkerId, id: CallId, served: bool) {
        let app = self.leave_slot(id, served);
        self.scheduler.release(worker);
        if let Some(row) = self.workers.get_mut(&worker) {
            row.served += 1;
        }
        self.feed(worker);
        self.recycle_after_call(worker, app);
        self.end_drain_if_idle();
    }

    pub(super) fn on_timed_out(&mut self, worker: WorkerId, id: CallId, message: String) {
        let worker = self.workers.get(&worker).map(|row| row.handle.worker);
        let app = match self.calls.get(&id) {
            Some(Place::Running(app, _)) => Some(self.apps[app.0].config.path.as_str()),
            _ => None,
        };
        let about = About { worker, app, ..About::default() };
        self.journal.note(EventKind::CallTimedOut, about, message);
    }

    /// Gives a worker with a free slot what it can take.
    pub(super) fn feed(&mut self, worker: WorkerId) {
        self.retry_app_in(worker, Instant::now());
        while let Some(Taken { app, item, .. }) = self.scheduler.next_for(worker) {
            self.assign_unless_late(worker, app, item);
        }
    }

    /// Gives the calls of an app to workers with a free slot.
    pub(super) fn feed_app(&mut self, app: AppId) {
        while let Some((worker, Taken { app, item, .. })) = self.scheduler.next_for_app(app) {
            self.assign_unless_late(worker, app, item);
        }
    }

    /// A call whose deadline passed in the queue never reaches a worker, even
    /// if a slot frees before the alarm rings.
    fn assign_unless_late(&mut self, worker: WorkerId, app: AppId, call: Call) {
        let now = Instant::now();
        if !call.queue_deadline().is_over(now) {
            return self.assign(worker, app, call);
        }
        self.scheduler.release(worker);
        self.time_out_in_queue(app, call, now);
    }

    fn assign(&mut self, worker: WorkerId, app: AppId, call: Call) {
        let id = call.id;
        let Some(row) = self.workers.get(&worker) else { return };
        match row.handle.start_call(call) {
            None => {
                self.calls.insert(id, Place::Running(app, worker));
                self.apps[app.0].running += 1;
            }
            // Its death is on its way to us; others shall serve the call.
            Some(call) => {
                self.scheduler.retire(worker);
                self.put_back(app, call);
                self.feed_app(app);
            }
        }
    }

    /// A call that did not start goes back to its old place in the queue.
    pub(super) fn put_back(&mut self, app: AppId, call: Call) {
        let (id, deadline, size) = (call.id, call.queue_deadline(), call.size());
        self.calls.insert(id, Place::Queued(app));
        self.scheduler.put_back(app, id, deadline, size, call);
        self.arm(deadline);
    }

    /// A call that did not start in the worker that it was given to. Gives the
    /// app that it waits for again: a reload may have moved that to another pool,
    /// or taken it out.
    pub(super) fn give_back(&mut self, call: Call) -> Option<AppId> {
        if call.reply.is_closed() {
            self.leave_slot(call.id, false); // its cancel went to that worker
            return None;
        }
        let Some(app) = self.app_ids.get(&call.request.app).copied() else {
            self.leave_slot(call.id, false);
            call.reply.fail(CallError::AppNotFound { app: call.request.app }, None);
            return None;
        };
        if let Some(Place::Running(old, _)) = self.calls.get(&call.id) {
            let old = &mut self.apps[old.0];
            old.running = old.running.saturating_sub(1);
        }
        self.put_back(app, call);
        Some(app)
    }

    /// A call is out of its slot; gives its app.
    pub(super) fn leave_slot(&mut self, id: CallId, served: bool) -> Option<AppId> {
        let Some(Place::Running(app, _)) = self.calls.remove(&id) else { return None };
        let row = &mut self.apps[app.0];
        row.running = row.running.saturating_sub(1);
        if served {
            row.served += 1;
        } else {
            row.failed += 1;
        }
        Some(app)
    }

    pub(super) fn expire_calls(&mut self, now: Instant) {
        while let Some(Taken { app, item, .. }) = self.scheduler.expire(now) {
            self.time_out_in_queue(app, item, now);
        }
        self.arm(self.scheduler.next_deadline());
        self.end_drain_if_idle();
    }

    fn time_out_in_queue(&mut self, app: AppId, call: Call, now: Instant) {
        self.calls.remove(&call.id);
        let waited = now.duration_since(call.request.arrived);
        self.refuse(app, call.reply, CallError::QueueTimeout { waited });
    }

    /// Ends a call that never got a worker.
    fn refuse(&mut self, app: AppId, reply: Reply, error: CallError) {
        self.apps[app.0].failed += 1;
        reply.fail(error, None);
    }

    /// Ends every waiting call of an app.
    pub(super) fn refuse_waiting(&mut self, app: AppId, error: &CallError) {
        for Taken { id, item, .. } in self.scheduler.take_all(app) {
            self.calls.remove(&id);
            self.refuse(app, item.reply, error.clone());
        }
    }

    /// Ends the waiting calls of an app that nobody is going to serve.
    pub(super) fn settle(&mut self, app: AppId) {
        let waits = self.scheduler.queue(app).is_some_and(|queue| queue.len() > 0);
        if waits && !self.has_hope(app) {
            let error = self.no_workers(app);
            self.refuse_waiting(app, &error);
        }
    }

    /// Whether some worker serves the app or is going to soon.
    pub(super) fn has_hope(&self, app: AppId) -> bool {
        let row = &self.apps[app.0];
        if row.ready > 0 {
            return true;
        }
        if self.workers.values().any(|worker| worker.gives_hope(app)) {
            return true;
        }
        let group = &self.groups[row.group];
        group.seats.iter().enumerate().any(|(index, seat)| {
            let starts = seat.occupant.is_none()
                && !seat.paused
                && seat.backoff.failures() == 0
                && (seat.restart_at.is_some() || group.scouting);
            let loads = seat.apps.contains(&app) && !seat.deadly.contains_key(&app);
            loads && (starts || self.is_replacing(row.group, index))
        })
    }

    fn no_workers(&self, app: AppId) -> CallError {
        if self.drain.is_some() {
            return CallError::Draining; // what died is not replaced
        }
        let row = &self.apps[app.0];
        let group = &self.groups[row.group];
        let why = match &row.last_error {
            Some(error) => error.clone(),
            None if group.seats.is_empty() => format!(
                "pool `{}` has 0 workers; scale it up with `dirtyd scale`",
                group.config.name
            ),
            None if group.seats.iter().any(|seat| seat.paused) => format!(
                "its workers died more than max_restarts ({}) times within restart_window ({:?}); the next try comes then",
                group.config.intensity.max_restarts, group.config.intensity.window
            ),
            None => "its workers keep failing to start; the arbiter's log says why".to_owned(),
        };
        CallError::NoWorkers { app: row.config.path.clone(), why }
    }

    /// The estimate for a retry: a queue's worth of one call per slot.
    fn queue_full(&self, app: AppId, full: Full, own: u64) -> CallError {
        let row = &self.apps[app.0];
        let slots = row.ready * self.groups[row.group].config.threads.get();
        let queue = self.scheduler.queue(app);
        let QueueLimits { calls, bytes } = row.config.queue;
        let bound = match full {
            Full::Calls => QueueBound::Calls(calls),
            Full::Bytes => QueueBound::Bytes {
                waiting: queue.map_or(0, AppQueue::bytes),
                own,
                limit: bytes.unwrap_or(u64::MAX),
            },
        };
        let oldest = queue.and_then(AppQueue::head);
        // What the oldest call waited is what a new one would have to wait.
        let waited = oldest.map_or(Duration::ZERO, |(_, call)| call.request.arrived.elapsed());
        let least = Duration::from_millis(if slots > 0 { 100 } else { 1000 });
        let retry_after = waited.clamp(least, Duration::from_secs(30));
        CallError::QueueFull { app: row.config.path.clone(), bound, retry_after }
    }

    /// Counts a worker in or out of those that can serve an app.
    pub(super) fn count_ready(&mut self, worker: WorkerId, by: i32) {
        let Some(row) = self.workers.get(&worker) else { return };
        for (app, loaded) in &row.apps {
            if matches!(loaded, Loaded::Ready) {
                let ready = &mut self.apps[app.0].ready;
                *ready = ready.saturating_add_signed(by);
            }
        }
    }
}
