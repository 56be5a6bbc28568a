//! Seats: which workers a pool shall have, and starting them.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{
    allocation::{Share, allocate},
    drain::Drain,
    ids::{AppId, WorkerId},
    journal::{About, EventKind},
    tables::{App, Group, Loaded, Role, Seat, Worker, WorkerState},
    task::Pool,
};
use crate::{
    config::{AppConfig, PoolConfig},
    worker::{Control, WorkerHandle, WorkerSpec},
};

impl Pool {
    /// Adds a pool of the configuration, with its apps; starts nothing.
    pub(super) fn add_group(&mut self, config: &PoolConfig) -> usize {
        let group = self.groups.len();
        self.groups.push(Group {
            config: Arc::new(config.clone()),
            seats: Vec::new(),
            deaths: super::restart::Deaths::default(),
            scouting: false,
            removed: false,
        });
        for app in &config.apps {
            self.add_app(group, app);
        }
        self.groups[group].seats.resize_with(config.workers as usize, Seat::default);
        self.allocate_group(group);
        group
    }

    /// Adds an app to a pool.
    pub(super) fn add_app(&mut self, group: usize, config: &AppConfig) -> AppId {
        let app = AppId(self.apps.len());
        self.scheduler.set_app(app, config.queue);
        self.app_ids.insert(config.path.clone(), app);
        self.apps.push(App {
            config: config.clone(),
            group,
            share: configured_share(config),
            served: 0,
            failed: 0,
            running: 0,
            ready: 0,
            last_error: None,
            leaving: false,
            removed: false,
        });
        app
    }

    /// The apps of a pool with their shares.
    pub(super) fn shares(&self, group: usize) -> Vec<(AppId, Share)> {
        (self.apps.iter().enumerate())
            .filter(|(_, app)| app.group == group && !app.removed && !app.leaving)
            .map(|(id, app)| (AppId(id), app.share))
            .collect()
    }

    /// Brings the apps of the seats in step with the shares.
    pub(super) fn allocate_group(&mut self, group: usize) {
        let shares = self.shares(group);
        let seats = &mut self.groups[group].seats;
        let mut apps: Vec<Vec<AppId>> =
            seats.iter_mut().map(|seat| std::mem::take(&mut seat.apps)).collect();
        allocate(&mut apps, &shares);
        for (seat, apps) in seats.iter_mut().zip(apps) {
            seat.apps = apps;
        }
    }

    /// Starts a worker in every empty seat. While the class attribute `workers`
    /// of an app is unknown, only the first seat gets one: it imports the apps
    /// and tells, and then the others follow.
    pub(super) fn fill_seats(&mut self, group: usize) {
        let is_unknown = |(_, share): &(AppId, Share)| *share == Share::Unknown;
        let deadly = |app: &AppId| {
            self.groups[group].seats.first().is_some_and(|seat| seat.deadly.contains_key(app))
        };
        let unknown = self.shares(group).iter().any(|share| is_unknown(share) && !deadly(&share.0));
        // With a worker in the first seat that is past its imports, nobody scouts:
        // what it could not import it tries again.
        let row = &self.groups[group];
        let can_scout = row.scouting || row.seats.first().is_some_and(|s| s.occupant.is_none());
        let scouting = unknown && can_scout;
        self.groups[group].scouting = scouting;
        let seats = if scouting { 1 } else { self.groups[group].seats.len() };
        for seat in 0..seats.min(self.groups[group].seats.len()) {
            let row = &self.groups[group].seats[seat];
            if row.occupant.is_none() && row.restart_at.is_none() {
                self.start_occupant(group, seat);
            }
        }
    }

    /// Starts a worker that holds its seat at once.
    pub(super) fn start_occupant(&mut self, group: usize, seat: usize) {
        self.groups[group].seats[seat].restart_at = None;
        if self.drain.as_ref().is_some_and(Drain::refuses_calls) {
            return; // the others are told to exit; nobody would tell this one
        }
        let config = Arc::clone(&self.groups[group].config);
        let apps = self.groups[group].seats[seat].apps.clone();
        match self.spawn(&config, (group, seat), Role::Occupant, &apps) {
            Ok(worker) => self.groups[group].seats[seat].occupant = Some(worker),
            Err(error) => {
                let why = error.to_string();
                self.seat_failed(group, seat, &why, Instant::now());
                self.on_seat_taken((group, seat), Err(why));
            }
        }
    }

    /// Starts a worker process for a seat, with apps to load.
    ///
    /// # Errors
    /// The command cannot be started.
    pub(super) fn spawn(
        &mut self,
        config: &Arc<PoolConfig>,
        place: (usize, usize),
        role: Role,
        apps: &[AppId],
    ) -> std::io::Result<WorkerId> {
        let id = self.next_worker;
        self.next_worker += 1;
        let spec = WorkerSpec {
            id,
            pool: Arc::clone(config),
            window: self.settings.window,
            max_message_size: self.settings.max_message_size,
            busy_wait: self.settings.busy_wait,
            graceful_timeout: self.settings.graceful_timeout,
        };
        let handle = WorkerHandle::start(spec, self.worker_events.clone())?;
        let (worker, now) = (handle.worker, Instant::now());
        let paths: Vec<&str> =
            apps.iter().map(|app| self.apps[app.0].config.path.as_str()).collect();
        let loads = if paths.is_empty() { "no app".to_owned() } else { paths.join(", ") };
        let message = format!("started {worker} in pool `{}`; it loads {loads}", config.name);
        let about = About { worker: Some(worker), pool: Some(&config.name), app: None };
        self.journal.note(EventKind::WorkerStarted, about, message);
        self.scheduler.add_worker(id, config.threads.get());
        let row = Worker {
            handle,
            place,
            role,
            state: WorkerState::Booting,
            started: now,
            apps: apps.iter().map(|app| (*app, Loaded::Pending)).collect(),
            importing: 0,
            may_retry: false,
            reloading_app: None,
            served: 0,
            max_requests: super::recycle::draw_max_requests(&config.recycle),
            app_requests: BTreeMap::new(),
            oversize: false,
            recycle_after: now,
        };
        self.workers.insert(id, row);
        self.ask_to_load(id, apps);
        Ok(id)
    }

    /// Tells a new worker what to import first and what to load. Apps that took
    /// a worker of this seat down wait, so that they take no other app with them.
    fn ask_to_load(&mut self, id: WorkerId, apps: &[AppId]) {
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (group, seat) = worker.place;
        let deadly = self.groups[group].seats.get(seat).map(|seat| &seat.deadly);
        let mut load = Vec::new();
        for app in apps {
            match deadly.and_then(|deadly| deadly.get(app)) {
                Some(backoff) => {
                    let mut backoff = *backoff;
                    let retry_at = Some(now + backoff.failed(fastrand::f64()));
                    worker.apps.insert(*app, Loaded::Failed { retry_at, backoff });
                    worker.may_retry = true;
                }
                None => load.push(*app),
            }
        }
        let unknown: Vec<String> = (load.iter())
            .filter(|app| self.apps[app.0].share == Share::Unknown)
            .map(|app| self.apps[app.0].config.path.clone())
            .collect();
        let retry = worker.apps.values().filter_map(retry_time).min();
        if unknown.is_empty() {
            let load = load.iter().map(|app| self.apps[app.0].config.path.clone()).collect();
            worker.handle.tell(Control::Load(load));
        } else {
            worker.importing = unknown.len();
            worker.handle.tell(Control::Import(unknown));
        }
        if let Some(retry) = retry {
            self.arm(retry);
        }
    }

    /// A worker of a seat failed before it was ready.
    pub(super) fn seat_failed(&mut self, group: usize, seat: usize, why: &str, now: Instant) {
        let Some(row) = self.groups[group].seats.get_mut(seat) else { return };
        let pause = row.backoff.failed(fastrand::f64());
        row.restart_at = Some(now + pause);
        self.arm(now + pause);
        let apps = self.groups[group].seats[seat].apps.clone();
        let pool = self.groups[group].config.name.clone();
        tracing::warn!(pool, "pool `{pool}`: {why}; the next try is in {pause:.1?}");
        for app in apps {
            self.apps[app.0].last_error = Some(why.to_owned());
            self.settle(app);
        }
    }

    pub(super) fn restart_due_seats(&mut self, now: Instant) {
        let mut next = None::<Instant>;
        for group in 0..self.groups.len() {
            for seat in 0..self.groups[group].seats.len() {
                match self.groups[group].seats[seat].restart_at {
                    Some(at) if at <= now => {
                        self.groups[group].seats[seat].paused = false;
                        self.start_occupant(group, seat);
                    }
                    Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                    None => {}
                }
            }
        }
        if let Some(next) = next {
            self.arm(next);
        }
    }
}

/// The share that the configuration fixes.
pub(super) fn configured_share(config: &AppConfig) -> Share {
    config.workers.map_or(Share::Unknown, Share::Seats)
}

/// When an app that failed is tried again.
pub(super) fn retry_time(loaded: &Loaded) -> Option<Instant> {
    match loaded {
        Loaded::Failed { retry_at, .. } => *retry_at,
        Loaded::Pending | Loaded::Ready => None,
    }
}
