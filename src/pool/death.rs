//! The end of a worker process: what becomes of its calls and of its seat.

use std::time::{Duration, Instant};

use super::{
    ids::{AppId, WorkerId},
    journal::{About, EventKind},
    tables::{Role, Worker, WorkerState},
    task::Pool,
};
use crate::worker::{Control, Death};

impl Pool {
    pub(super) fn on_died(&mut self, id: WorkerId, mut death: Death) {
        let now = Instant::now();
        let Some(row) = self.workers.get(&id) else { return };
        let was_serving = row.is_serving();
        if was_serving {
            self.count_ready(id, -1);
        }
        self.scheduler.remove_worker(id);
        let Some(worker) = self.workers.remove(&id) else { return };
        let (group, seat) = worker.place;
        let unstarted = std::mem::take(&mut death.unstarted);
        self.journal_death(&worker, &death, unstarted.len());

        for end in &death.lost {
            self.leave_slot(end.call, false);
        }
        let mut apps = Vec::new();
        for call in unstarted {
            apps.extend(self.give_back(call));
        }
        match worker.role {
            Role::Occupant => self.seat_emptied(&worker, &death, now),
            Role::Successor => self.successor_died(group, seat, &death),
            Role::Leaving => self.on_left(id, group, seat),
        }
        for app in apps {
            self.feed_app(app);
        }
        for app in worker.apps.keys() {
            self.settle(*app);
        }
        self.publish_health();
        self.end_drain_if_idle();
    }

    fn journal_death(&self, worker: &Worker, death: &Death, unstarted: usize) {
        let pool = &self.groups[worker.place.0].config.name;
        let expected = worker.role == Role::Leaving && death.ended == crate::call::EndedBy::Exit(0);
        let next = match worker.role {
            _ if self.drain.is_some() => "the arbiter is draining, it is not replaced",
            Role::Occupant => "it is replaced",
            Role::Successor => "the worker that it was to replace stays",
            Role::Leaving => "it had been asked to",
        };
        let process = worker.handle.worker;
        let mut message = format!("{process} {}; {next}", death.ended);
        if let Some(app) = &death.loading {
            message = format!("{process} {} while it loaded app `{app}`; {next}", death.ended);
        }
        if !death.lost.is_empty() || unstarted > 0 {
            message += &format!(
                "; {} started calls are lost, {unstarted} go back to their queue",
                death.lost.len()
            );
        }
        let about =
            About { worker: Some(process), pool: Some(pool), app: death.loading.as_deref() };
        match expected || self.drain.is_some() {
            true => self.journal.note(EventKind::WorkerDied, about, message),
            false => self.journal.warn(EventKind::WorkerDied, about, message),
        }
    }

    /// The worker of a seat is gone: its successor takes over, or another is
    /// started: at once if it had been ready, after a pause if not.
    fn seat_emptied(&mut self, worker: &Worker, death: &Death, now: Instant) {
        let (group, seat) = worker.place;
        let Some(row) = self.groups[group].seats.get_mut(seat) else { return };
        row.occupant = None;
        if self.drain.is_some() {
            return;
        }
        if let Some(successor) = row.successor.take() {
            return self.take_seat(successor);
        }
        let said = match death.last_words.as_str() {
            "" => String::new(),
            line => format!(", and last wrote: {line}"),
        };
        let why = format!("{} {}{said}", worker.handle.worker, death.ended);
        let loading = death.loading.as_ref().and_then(|path| self.app_ids.get(path).copied());
        if let Some(app) = loading {
            let row = &mut self.groups[group].seats[seat];
            row.deadly.entry(app).or_default().failed(0.0);
        }
        match worker.state {
            WorkerState::Booting => {
                let why = match &death.loading {
                    Some(app) => format!("{why}, while it loaded app `{app}`"),
                    None => why,
                };
                self.seat_failed(group, seat, &why, now);
                self.on_seat_taken(worker.place, Err(why));
            }
            WorkerState::Ready | WorkerState::Draining => {
                self.replace_crashed(group, seat, now);
            }
        }
    }

    fn replace_crashed(&mut self, group: usize, seat: usize, now: Instant) {
        let intensity = self.groups[group].config.intensity;
        let pause = self.groups[group].deaths.record(intensity, now);
        let Some(pause) = pause else { return self.start_occupant(group, seat) };
        let row = &mut self.groups[group].seats[seat];
        row.restart_at = Some(now + pause);
        row.paused = true;
        let apps = row.apps.clone();
        self.arm(now + pause);
        let pool = self.groups[group].config.name.clone();
        let why = format!(
            "more than {} workers of pool `{pool}` died within {:?} (max_restarts, restart_window)",
            intensity.max_restarts, intensity.window
        );
        tracing::error!(pool, "{why}; seat {seat} waits {pause:.1?} for its next worker");
        for app in apps {
            if !self.has_hope(app) {
                self.fail_app(app, &pool, &why, pause);
            }
        }
    }

    /// Nobody serves the app, or is going to before `pause` is over.
    fn fail_app(&mut self, app: AppId, pool: &str, why: &str, pause: Duration) {
        let row = &mut self.apps[app.0];
        row.last_error = Some(format!("{why}; the next one starts when that time is over"));
        let path = &row.config.path;
        let message = format!(
            "app `{path}` has no worker left: {why}; its calls are refused until the next one starts, in {pause:.1?}"
        );
        let about = About { worker: None, app: Some(path), pool: Some(pool) };
        self.journal.note(EventKind::AppFailed, about, message);
    }

    /// A worker that is booted or booting becomes the holder of its seat.
    pub(super) fn take_seat(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (group, seat) = worker.place;
        worker.role = Role::Occupant;
        let booted = worker.state == WorkerState::Ready;
        let Some(row) = self.groups[group].seats.get_mut(seat) else { return };
        row.successor = None;
        row.occupant = Some(id);
        if booted {
            self.open_worker(id);
        }
    }

    /// A worker leaves its seat: it finishes its calls and exits.
    pub(super) fn send_away(&mut self, id: WorkerId, why: &str) {
        let Some(worker) = self.workers.get(&id) else { return };
        if worker.role == Role::Leaving {
            return;
        }
        if worker.is_serving() {
            self.count_ready(id, -1);
        }
        self.scheduler.retire(id);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let was_booting = worker.state == WorkerState::Booting;
        worker.role = Role::Leaving;
        worker.state = WorkerState::Draining;
        let (process, running) = (worker.handle.worker, self.scheduler.load(id));
        if was_booting {
            worker.handle.tell(Control::Kill(why.to_owned()));
        } else {
            worker.handle.tell(Control::Drain);
        }
        let pool = &self.groups[worker.place.0].config.name;
        let message = format!("{process} drains: {why}; it finishes {running} calls and exits");
        let about = About { worker: Some(process), pool: Some(pool), app: None };
        self.journal.note(EventKind::WorkerDraining, about, message);
    }
}
