//! Loading apps into workers: the boot, the scout, and later tries.

use std::time::Instant;

use super::{
    allocation::Share,
    ids::{AppId, WorkerId},
    journal::{About, EventKind},
    seats::retry_time,
    tables::{Loaded, Role, WorkerState},
    task::Pool,
};
use crate::{call::AppFailure, worker::Control};

/// How many lines of a traceback callers and `status` are shown.
const TRACEBACK_LINES: usize = 6;

impl Pool {
    /// A scout tells the class attribute `workers` of an app.
    pub(super) fn on_imported(
        &mut self,
        id: WorkerId,
        path: &str,
        result: Result<Option<u32>, AppFailure>,
    ) {
        let Some(app) = self.app_ids.get(path).copied() else { return };
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let is_scouting = worker.importing > 0;
        worker.importing = worker.importing.saturating_sub(1);
        let scouted = is_scouting && worker.importing == 0;
        let group = worker.place.0;
        match result {
            Ok(workers) => self.apps[app.0].share = self.class_share(app, group, workers),
            // A scout loads it all the same, so that the failure takes the
            // usual way; a later try is over with this.
            Err(failure) if !is_scouting => return self.on_loaded(id, path, Err(failure)),
            Err(_) => {}
        }
        if scouted {
            self.end_scouting(id, group);
        } else if !is_scouting {
            self.allocate_group(group);
            self.load_missing(group);
            self.load_or_give_up(id, app);
        }
    }

    fn class_share(&self, app: AppId, group: usize, workers: Option<u32>) -> Share {
        let (path, pool) = (&self.apps[app.0].config.path, &self.groups[group].config);
        match workers {
            None => Share::All,
            Some(n) if n == 0 || n > pool.workers.max(1) => {
                tracing::warn!(
                    app = path,
                    pool = pool.name,
                    "app `{path}` asks for {n} workers by its class attribute, pool `{}` has {}; it is loaded in {}",
                    pool.name,
                    pool.workers,
                    n.clamp(1, pool.workers.max(1))
                );
                Share::Seats(n.max(1))
            }
            Some(n) => Share::Seats(n),
        }
    }

    /// All imports of a scout are answered: it loads its part, the others start.
    fn end_scouting(&mut self, id: WorkerId, group: usize) {
        self.allocate_group(group);
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let apps = match self.groups[group].seats.get(worker.place.1) {
            Some(seat) => seat.apps.clone(),
            None => Vec::new(),
        };
        worker.apps.retain(|app, _| apps.contains(app));
        for app in &apps {
            worker.apps.entry(*app).or_insert(Loaded::Pending);
        }
        let load = (worker.apps.iter())
            .filter(|(_, loaded)| matches!(loaded, Loaded::Pending))
            .map(|(app, _)| self.apps[app.0].config.path.clone())
            .collect();
        worker.handle.tell(Control::Load(load));
        if std::mem::take(&mut self.groups[group].scouting) {
            for seat in 0..self.groups[group].seats.len() {
                let row = &self.groups[group].seats[seat];
                if row.occupant.is_none() && row.restart_at.is_none() {
                    self.start_occupant(group, seat);
                }
            }
        }
    }

    /// After a later import told an app's share: the worker that tried it goes
    /// on to load it, unless its seat has no part in it.
    fn load_or_give_up(&mut self, id: WorkerId, app: AppId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (group, seat) = worker.place;
        if self.groups[group].seats.get(seat).is_some_and(|seat| seat.apps.contains(&app)) {
            worker.handle.tell(Control::Load(vec![self.apps[app.0].config.path.clone()]));
        } else {
            worker.apps.remove(&app);
            self.end_retry(id);
        }
    }

    /// An app was loaded in a worker, or not.
    pub(super) fn on_loaded(&mut self, id: WorkerId, path: &str, result: Result<(), AppFailure>) {
        let Some(app) = self.app_ids.get(path).copied() else { return };
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (group, seat) = worker.place;
        let is_retry = worker.reloading_app == Some(app);
        let pool = self.groups[group].config.name.clone();
        let about =
            About { worker: Some(worker.handle.worker), app: Some(path), pool: Some(&pool) };
        let now = Instant::now();
        match result {
            Ok(()) => {
                worker.apps.insert(app, Loaded::Ready);
                if let Some(seat) = self.groups[group].seats.get_mut(seat) {
                    seat.deadly.remove(&app);
                }
                if is_retry {
                    self.apps[app.0].last_error = None;
                    let message = format!(
                        "app `{path}` is loaded in {} and served from now on",
                        worker.handle.worker
                    );
                    if worker.is_serving() {
                        self.scheduler.grant(id, app);
                        self.apps[app.0].ready += 1;
                    }
                    self.journal.note(EventKind::AppRecovered, about, message);
                }
            }
            Err(failure) => {
                let mut backoff = match worker.apps.get(&app) {
                    Some(Loaded::Failed { backoff, .. }) => *backoff,
                    _ => super::restart::Backoff::default(),
                };
                let pause = backoff.failed(fastrand::f64());
                let retry_at = Some(now + pause);
                worker.apps.insert(app, Loaded::Failed { retry_at, backoff });
                worker.may_retry = true;
                let next = match worker.role {
                    Role::Successor => "the worker that it is to replace serves on".to_owned(),
                    Role::Leaving => "it leaves anyway".to_owned(),
                    Role::Occupant => format!(
                        "the next try is in {pause:.1?}; the worker's other apps are served"
                    ),
                };
                let message = format!(
                    "app `{path}` failed to load in {}; {next}\n{}",
                    worker.handle.worker,
                    failure.traceback.trim_end()
                );
                self.apps[app.0].last_error = Some(describe(&failure));
                self.journal.note(EventKind::AppFailed, about, message);
                self.arm(now + pause);
            }
        }
        if is_retry {
            self.end_retry(id);
        }
        self.settle(app);
        self.publish_health();
    }

    /// The first list of a worker is done.
    pub(super) fn on_booted(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.state != WorkerState::Booting {
            return;
        }
        worker.state = WorkerState::Ready;
        let (role, process, place) = (worker.role, worker.handle.worker, worker.place);
        let age = worker.started.elapsed();
        let ready = worker.apps.values().filter(|app| matches!(app, Loaded::Ready)).count();
        let pool = self.groups[place.0].config.name.clone();
        let message = format!(
            "{process} is ready after {age:.1?} with {ready} of {} apps",
            worker.apps.len()
        );
        let about = About { worker: Some(process), pool: Some(&pool), app: None };
        self.journal.note(EventKind::WorkerReady, about, message);
        self.look_at_memory(id);
        match role {
            Role::Occupant => {
                self.open_worker(id);
                let result = self.broken_app(id, |_| false).map_or(Ok(()), Err);
                self.on_seat_taken(place, result);
            }
            Role::Successor => self.on_successor_booted(id),
            Role::Leaving => {}
        }
    }

    /// Lets a booted worker in its seat take calls.
    pub(super) fn open_worker(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        let (group, seat) = worker.place;
        let ready: Vec<AppId> = (worker.apps.iter())
            .filter(|(_, loaded)| matches!(loaded, Loaded::Ready))
            .map(|(app, _)| *app)
            .collect();
        for app in ready {
            self.scheduler.grant(id, app);
            self.apps[app.0].last_error = None;
        }
        self.count_ready(id, 1);
        if let Some(seat) = self.groups[group].seats.get_mut(seat) {
            seat.backoff.succeeded();
        }
        self.feed(id);
        self.publish_health();
    }

    /// Gives every worker in a seat the apps that it lacks.
    pub(super) fn load_missing(&mut self, group: usize) {
        let now = Instant::now();
        for seat in &self.groups[group].seats {
            let Some(worker) = seat.occupant.and_then(|id| self.workers.get_mut(&id)) else {
                continue;
            };
            worker.may_retry = true;
            for app in &seat.apps {
                worker.apps.entry(*app).or_insert(Loaded::Failed {
                    retry_at: Some(now),
                    backoff: super::restart::Backoff::default(),
                });
            }
        }
        self.arm(now);
    }

    /// Tries every app whose time has come.
    pub(super) fn retry_due_apps(&mut self, now: Instant) {
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        for id in ids {
            self.retry_app_in(id, now);
            let next = self.workers.get(&id).and_then(|worker| {
                worker.apps.values().filter_map(retry_time).filter(|at| *at > now).min()
            });
            if let Some(next) = next {
                self.arm(next);
            }
        }
    }

    /// Tries an app again in a worker that has a free slot for it. An app that
    /// took a worker down before is tried only while nothing else runs there.
    pub(super) fn retry_app_in(&mut self, id: WorkerId, now: Instant) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if !worker.may_retry || !worker.is_serving() || worker.reloading_app.is_some() {
            return;
        }
        worker.may_retry = worker.apps.values().any(|app| matches!(app, Loaded::Failed { .. }));
        let due = |loaded: &Loaded| retry_time(loaded).is_some_and(|at| at <= now);
        let Some(app) = worker.apps.iter().find(|(_, l)| due(l)).map(|(app, _)| *app) else {
            return;
        };
        let (group, seat) = worker.place;
        let deadly =
            self.groups[group].seats.get(seat).is_some_and(|s| s.deadly.contains_key(&app));
        if (deadly && self.scheduler.load(id) > 0) || !self.scheduler.occupy(id) {
            return; // asked again when a slot frees
        }
        if let Some(Loaded::Failed { retry_at, .. }) = worker.apps.get_mut(&app) {
            *retry_at = None;
        }
        worker.reloading_app = Some(app);
        let row = &self.apps[app.0];
        let path = vec![row.config.path.clone()];
        worker.handle.tell(match row.share {
            Share::Unknown => Control::Import(path),
            Share::All | Share::Seats(_) => Control::Load(path),
        });
    }

    fn end_retry(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id).filter(|w| w.reloading_app.is_some()) {
            worker.reloading_app = None;
            self.scheduler.release(id);
            self.feed(id);
        }
    }
}

/// What callers of an app that cannot be loaded are told: the exception and the
/// last lines of its traceback.
fn describe(failure: &AppFailure) -> String {
    let lines: Vec<&str> =
        failure.traceback.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines[lines.len().saturating_sub(TRACEBACK_LINES)..].join("\n");
    match tail.is_empty() {
        true => format!("{}: {}", failure.exception_type, failure.message),
        false => format!("it failed to load; the traceback ends with\n{tail}"),
    }
}
