//! Who is there: apps, pools with their seats, and workers. It knows no call.
//!
//! A row that is gone is freed, not marked: apps and pools that a reload took out
//! leave with the last worker that has them.

mod allocation;
mod app;
mod restart;
mod seat;
mod worker;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use self::{allocation::allocate, restart::Deaths};
pub use self::{
    allocation::{Share, least_seats},
    app::App,
    restart::Backoff,
    seat::{Holder, Pause, Seat},
    worker::{Claim, Loaded, Size, Stage, Worker, WorkerState},
};
use super::ids::{AppId, PoolId, SeatId, WorkerId};
use crate::config::{AppConfig, PoolConfig};

/// A pool of the configuration.
#[derive(Debug)]
pub struct Pool {
    /// Its configuration.
    pub config: Arc<PoolConfig>,
    /// One seat per worker that should run.
    pub seats: Vec<Seat>,
    /// Recent deaths, for the restart intensity.
    pub deaths: Deaths,
    /// True while the first worker finds out what the others load.
    pub scouting: bool,
    /// A reload took it out of the configuration; its workers leave.
    pub removed: bool,
}

/// Apps, pools and workers.
#[derive(Debug, Default)]
pub struct Fleet {
    apps: BTreeMap<AppId, App>,
    /// The apps that callers can name.
    names: HashMap<String, AppId>,
    pools: BTreeMap<PoolId, Pool>,
    workers: BTreeMap<WorkerId, Worker>,
    /// The number of rows of each kind that there ever were.
    ever: (usize, usize, WorkerId),
}

impl Fleet {
    // ---- apps

    /// The app that callers mean by a path.
    pub fn named(&self, path: &str) -> Option<AppId> {
        self.names.get(path).copied()
    }

    /// The app that a worker knows by a path, whatever callers mean by it.
    pub fn app_of_worker(&self, worker: WorkerId, path: &str) -> Option<AppId> {
        let mut apps = self.workers.get(&worker)?.apps.keys();
        apps.find(|id| self.apps.get(id).is_some_and(|app| app.path() == path)).copied()
    }

    /// An app, by an id that is known to be one.
    ///
    /// # Panics
    /// There is no such app.
    pub fn app(&self, id: AppId) -> &App {
        &self.apps[&id]
    }

    /// An app, unless its row is freed.
    pub fn find_app(&self, id: AppId) -> Option<&App> {
        self.apps.get(&id)
    }

    /// An app to change.
    pub fn app_mut(&mut self, id: AppId) -> Option<&mut App> {
        self.apps.get_mut(&id)
    }

    /// The apps that are served, in the order of their rows.
    pub fn apps(&self) -> impl Iterator<Item = (AppId, &App)> {
        self.apps.iter().filter(|(_, app)| !app.removed).map(|(id, app)| (*id, app))
    }

    /// Adds an app to a pool; callers who name its path mean this one.
    pub fn add_app(&mut self, pool: PoolId, config: &AppConfig) -> AppId {
        let id = AppId(self.ever.0);
        self.ever.0 += 1;
        self.names.insert(config.path.clone(), id);
        self.apps.insert(id, App::new(pool, config));
        id
    }

    /// Takes an app out: nobody can name it any more. Its row stays as long as
    /// some worker has it. Returns false if it was out already.
    pub fn remove_app(&mut self, id: AppId) -> bool {
        let Some(app) = self.apps.get_mut(&id) else { return false };
        app.leaving = false;
        if std::mem::replace(&mut app.removed, true) {
            return false;
        }
        let path = app.path().to_owned();
        if self.names.get(&path) == Some(&id) {
            self.names.remove(&path);
        }
        true
    }

    /// Lets callers mean this app by its path.
    pub fn name(&mut self, id: AppId) {
        if let Some(app) = self.apps.get(&id) {
            self.names.insert(app.path().to_owned(), id);
        }
    }

    /// The names that callers use.
    pub fn names(&self) -> &HashMap<String, AppId> {
        &self.names
    }

    /// Puts earlier names back; only those of apps that are served.
    pub fn restore_names(&mut self, names: HashMap<String, AppId>) {
        self.names = names;
        self.names.retain(|_, id| self.apps.get(id).is_some_and(|app| !app.removed));
    }

    // ---- pools and seats

    /// The pools that are configured.
    pub fn pool_ids(&self) -> Vec<PoolId> {
        self.pools.iter().filter(|(_, pool)| !pool.removed).map(|(id, _)| *id).collect()
    }

    /// The pool of a name, if it is configured.
    pub fn pool_named(&self, name: &str) -> Option<PoolId> {
        let mut named = self.pools.iter().filter(|(_, pool)| !pool.removed);
        named.find(|(_, pool)| pool.config.name == name).map(|(id, _)| *id)
    }

    /// A pool, by an id that is known to be one.
    ///
    /// # Panics
    /// There is no such pool.
    pub fn pool(&self, id: PoolId) -> &Pool {
        &self.pools[&id]
    }

    /// A pool to change.
    pub fn pool_mut(&mut self, id: PoolId) -> Option<&mut Pool> {
        self.pools.get_mut(&id)
    }

    /// Adds a pool with empty seats.
    pub fn add_pool(&mut self, config: &PoolConfig) -> PoolId {
        let id = PoolId(self.ever.1);
        self.ever.1 += 1;
        let mut seats = Vec::new();
        seats.resize_with(config.workers as usize, Seat::default);
        let (config, deaths) = (Arc::new(config.clone()), Deaths::default());
        self.pools.insert(id, Pool { config, seats, deaths, scouting: false, removed: false });
        id
    }

    /// A seat, if it is still there.
    pub fn seat(&self, id: SeatId) -> Option<&Seat> {
        self.pools.get(&id.pool)?.seats.get(id.index)
    }

    /// A seat to change.
    pub fn seat_mut(&mut self, id: SeatId) -> Option<&mut Seat> {
        self.pools.get_mut(&id.pool)?.seats.get_mut(id.index)
    }

    /// The seats of a pool.
    pub fn seats(&self, pool: PoolId) -> impl Iterator<Item = (SeatId, &Seat)> {
        let seats = self.pools.get(&pool).map_or(&[][..], |pool| &pool.seats);
        seats.iter().enumerate().map(move |(index, seat)| (SeatId { pool, index }, seat))
    }

    /// The apps of a pool with their shares.
    pub fn shares(&self, pool: PoolId) -> Vec<(AppId, Share)> {
        let loads = |app: &&App| app.pool == pool && !app.removed && !app.leaving;
        (self.apps.iter()).filter(|(_, app)| loads(app)).map(|(id, app)| (*id, app.share)).collect()
    }

    /// Brings the apps of the seats in step with the shares.
    pub fn allocate(&mut self, pool: PoolId) {
        let shares = self.shares(pool);
        let Some(pool) = self.pools.get_mut(&pool) else { return };
        let mut apps: Vec<Vec<AppId>> =
            pool.seats.iter_mut().map(|seat| std::mem::take(&mut seat.apps)).collect();
        allocate(&mut apps, &shares);
        for (seat, apps) in pool.seats.iter_mut().zip(apps) {
            seat.apps = apps;
        }
    }

    // ---- workers

    /// The number of the next worker.
    pub fn next_worker(&mut self) -> WorkerId {
        self.ever.2 += 1;
        self.ever.2
    }

    /// Adds a worker.
    pub fn add_worker(&mut self, worker: Worker) {
        self.workers.insert(worker.id(), worker);
    }

    /// A worker.
    pub fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    /// A worker to change.
    pub fn worker_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&id)
    }

    /// The workers, oldest first.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// The numbers of the workers for which something holds.
    pub fn workers_that(&self, holds: impl Fn(&Worker) -> bool) -> Vec<WorkerId> {
        self.workers().filter(|worker| holds(worker)).map(Worker::id).collect()
    }

    /// The workers that have left a seat and finish their calls.
    pub fn leaves(&self, seat: SeatId) -> impl Iterator<Item = &Worker> {
        let holder = self.seat(seat).and_then(Seat::occupant);
        let leaves =
            move |worker: &&Worker| worker.stage == Stage::Draining && Some(worker.id()) != holder;
        self.workers.values().filter(move |worker| worker.seat == seat).filter(leaves)
    }

    /// Takes the row of a worker out.
    pub fn remove_worker(&mut self, id: WorkerId) -> Option<Worker> {
        self.workers.remove(&id)
    }

    /// Whether there is no worker.
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    // ---- all of them

    /// Whether some worker serves the app or is about to.
    pub fn has_worker_for(&self, app: AppId) -> bool {
        self.workers.values().any(|worker| worker.gives_hope(app))
    }

    /// Whether a worker is about to start in some seat that loads the app.
    /// `is_replacing` says whether a reload is going to replace the worker of a
    /// seat.
    pub fn has_seat_for(&self, app: AppId, is_replacing: impl Fn(SeatId) -> bool) -> bool {
        let Some(row) = self.apps.get(&app) else { return false };
        let scouting = self.pools.get(&row.pool).is_some_and(|pool| pool.scouting);
        self.seats(row.pool).any(|(id, seat)| {
            let starts = scouting && seat.holder == Holder::Nobody && seat.backoff.failures() == 0;
            let loads = seat.apps.contains(&app) && !seat.deadly.contains_key(&app);
            loads && (starts || is_replacing(id))
        })
    }

    /// Takes the errors from apps that are served, and fail only in workers that
    /// leave.
    pub fn forget_cured_errors(&mut self, is_served: impl Fn(AppId) -> bool) {
        let workers = &self.workers;
        let fails = |app: &AppId| {
            let mut stay = workers.values().filter(|worker| !worker.is_leaving());
            stay.any(|worker| worker.apps.get(app).is_some_and(Loaded::has_failed))
        };
        for (id, app) in self.apps.iter_mut().filter(|(id, _)| is_served(**id)) {
            if !fails(id) {
                app.last_error = None;
            }
        }
    }

    /// Frees the rows of apps and pools that are out of the configuration and
    /// that no worker has any more. Returns the apps.
    pub fn free_rows(&mut self) -> Vec<AppId> {
        if self.apps.values().all(|app| !app.removed) && self.pools.values().all(|p| !p.removed) {
            return Vec::new();
        }
        let workers = &self.workers;
        let has = |id: &AppId| workers.values().any(|worker| worker.apps.contains_key(id));
        let gone: Vec<AppId> = self
            .apps
            .iter()
            .filter(|(id, app)| app.removed && !has(id))
            .map(|(id, _)| *id)
            .collect();
        self.apps.retain(|id, _| !gone.contains(id));
        let apps = &self.apps;
        self.pools.retain(|id, pool| {
            let is_used = workers.values().any(|worker| worker.seat.pool == *id)
                || apps.values().any(|app| app.pool == *id);
            !pool.removed || is_used
        });
        gone
    }

    /// How many apps, pools and workers there are, those that leave included, but
    /// without apps that a reload took out and some worker has still loaded.
    #[cfg(any(test, feature = "internals"))]
    pub fn rows(&self) -> (usize, usize, usize) {
        let is_loaded = |id: &AppId| self.workers().any(|worker| worker.apps.contains_key(id));
        let kept = self.apps.iter().filter(|(id, app)| app.removed && is_loaded(id)).count();
        (self.apps.len() - kept, self.pools.len(), self.workers.len())
    }
}
