//! Apps that failed to load are loaded again, in a free slot of the worker, so
//! that a large model beside them is not loaded twice.

use super::super::{
    Machine,
    fleet::{Loaded, Share},
    ids::{AppId, WorkerId},
    turn::Turn,
};
use crate::{clock::Deadline, worker::Control};

impl Machine {
    /// Tries every app whose time has come.
    pub(in super::super) fn retry_due_apps(&mut self, turn: &mut Turn<'_>) {
        for id in self.fleet.workers_that(|worker| worker.may_retry) {
            self.retry_app_in(id, turn);
            if let Some(worker) = self.fleet.worker(id) {
                turn.arm(worker.next_retry_after(turn.now));
            }
        }
    }

    /// Tries an app again in a worker that has a free slot for it. An app that
    /// took a worker down before is tried only while nothing else runs there.
    pub(in super::super) fn retry_app_in(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        if !worker.may_retry || !worker.is_serving() || worker.loading().is_some() {
            return;
        }
        worker.may_retry = worker.apps.values().any(Loaded::has_failed);
        let mut due = worker.apps.iter().filter(|(_, app)| app.retry_at().is_over(turn.now));
        let Some(app) = due.next().map(|(app, _)| *app) else { return };
        let has_been_tried = |app: Option<&Loaded>| match app {
            Some(Loaded::Failed { backoff, .. }) => backoff.failures() > 0,
            _ => false,
        };
        if worker.is_spoiled && has_been_tried(worker.apps.get(&app)) {
            return self.retry_in_new_process(id, app, turn);
        }
        let seat = worker.seat;
        let deadly = self.fleet.seat(seat).is_some_and(|seat| seat.deadly.contains_key(&app));
        if (deadly && self.dispatch.load(id) > 0) || !self.dispatch.occupy(id) {
            return; // asked again when a slot frees
        }
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        if let Some(Loaded::Failed { retry_at, .. }) = worker.apps.get_mut(&app) {
            *retry_at = Deadline::Never;
        }
        worker.set_loading(Some(app));
        let row = self.fleet.app(app);
        let path = vec![row.path().to_owned()];
        match row.share {
            Share::Unknown => turn.tell(id, Control::Import(path)),
            Share::All | Share::Seats(_) => turn.tell(id, Control::Load(path)),
        }
    }

    /// The process of a worker cannot try an app again: another one does, and takes its
    /// seat if the app loads there. The next try waits longer.
    fn retry_in_new_process(&mut self, id: WorkerId, app: AppId, turn: &mut Turn<'_>) {
        let random = self.random.f64();
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        let Some(Loaded::Failed { retry_at, backoff }) = worker.apps.get_mut(&app) else { return };
        *retry_at = Deadline::after(turn.now, backoff.failed(random));
        turn.arm(*retry_at);
        worker.may_retry = true;
        let why =
            format!("app `{}` can only be tried in a new process", self.fleet.app(app).path());
        self.recycle(id, &why, turn);
    }

    /// A try is over: its slot is free again.
    pub(super) fn end_retry(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        if worker.loading().is_some() && worker.set_loading(None) {
            self.dispatch.release(id);
            self.feed(id, turn);
        }
    }
}
