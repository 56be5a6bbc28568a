//! Starting workers: which seats are empty, and what a new worker loads.

use std::{collections::BTreeMap, sync::Arc};

use super::super::{
    Action, Machine,
    fleet::{Claim, Holder, Loaded, Pause, Share, Stage, Worker},
    ids::{AppId, PoolId, SeatId, WorkerId},
    turn::{Level, Note, Turn},
};
use crate::{call::WorkerRef, config::PoolConfig, pool::machine::EntryKind, worker::Control};

impl Machine {
    /// Adds a pool of the configuration, with its apps; starts nothing.
    pub(in super::super) fn add_pool(&mut self, config: &PoolConfig) -> PoolId {
        let pool = self.fleet.add_pool(config);
        for app in &config.apps {
            let id = self.fleet.add_app(pool, app);
            self.dispatch.set_app(id, app.queue);
        }
        self.fleet.allocate(pool);
        pool
    }

    /// Starts a worker in every empty seat. While the class attribute `workers`
    /// of an app is unknown, only the first seat gets one: it imports the apps
    /// and tells, and then the others follow.
    pub(in super::super) fn fill_seats(&mut self, pool: PoolId, turn: &mut Turn<'_>) {
        let Some(first) = self.fleet.seat(SeatId { pool, index: 0 }) else { return };
        // What has taken a worker down waits, and what has its place in another
        // seat is found out there.
        let is_scouted = |(app, share): &(AppId, Share)| {
            *share == Share::Unknown && first.apps.contains(app) && !first.deadly.contains_key(app)
        };
        let unknown = self.fleet.shares(pool).iter().any(is_scouted);
        // With a worker in the first seat that is past its imports, nobody scouts:
        // what it could not import it tries again.
        let holder = first.occupant().and_then(|id| self.fleet.worker(id));
        let scouting = unknown && holder.is_none_or(Worker::may_scout);
        if let Some(row) = self.fleet.pool_mut(pool) {
            row.scouting = scouting;
        }
        self.start_holders(pool, if scouting { 1 } else { usize::MAX }, turn);
    }

    /// Starts a worker in the first empty seats.
    pub(in super::super) fn start_holders(
        &mut self,
        pool: PoolId,
        seats: usize,
        turn: &mut Turn<'_>,
    ) {
        let is_empty = |holder| holder == Holder::Nobody;
        let empty: Vec<SeatId> = (self.fleet.seats(pool).take(seats))
            .filter(|(_, seat)| is_empty(seat.holder))
            .map(|(id, _)| id)
            .collect();
        for seat in empty {
            self.take_empty_seat(seat, turn);
        }
    }

    /// Starts a worker that holds its seat at once. What its predecessor died of
    /// may have ended the scouting: then the others start, too.
    pub(in super::super) fn start_holder(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        if let Some(seat) = self.fleet.seat_mut(id) {
            seat.holder = Holder::Nobody;
            self.fill_seats(id.pool, turn);
        }
    }

    fn take_empty_seat(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        if !self.phase.may_start_workers() {
            return; // the others are told to exit; nobody would tell this one
        }
        let Some(seat) = self.fleet.seat(id) else { return };
        let apps = seat.apps.clone();
        let worker = self.spawn(id, Claim::Holder, apps, turn);
        if let Some(seat) = self.fleet.seat_mut(id) {
            seat.holder = Holder::Worker(worker);
        }
    }

    /// Starts a worker that replaces the holder of a seat once it is ready.
    pub(in super::super) fn start_successor(
        &mut self,
        id: SeatId,
        apps: Vec<AppId>,
        turn: &mut Turn<'_>,
    ) {
        let worker = self.spawn(id, Claim::Successor, apps, turn);
        if let Some(seat) = self.fleet.seat_mut(id) {
            seat.successor = Some(worker);
        }
    }

    /// Asks for a worker process for a seat, with apps to load.
    fn spawn(
        &mut self,
        seat: SeatId,
        claim: Claim,
        apps: Vec<AppId>,
        turn: &mut Turn<'_>,
    ) -> WorkerId {
        let config = Arc::clone(&self.fleet.pool(seat.pool).config);
        let id = self.fleet.next_worker();
        let max_requests = self.draw_max_requests(&config.recycle);
        self.fleet.add_worker(Worker {
            process: WorkerRef { id, pid: 0 },
            seat,
            threads: config.threads.get(),
            stage: Stage::Starting(claim),
            started: turn.now,
            apps: apps.into_iter().map(|app| (app, Loaded::Pending)).collect(),
            may_retry: false,
            is_spoiled: false,
            served: 0,
            max_requests,
            app_requests: BTreeMap::new(),
        });
        turn.act(Action::Spawn(id, config, self.shared.clone()));
        id
    }

    /// A worker process was started: it is told what to load.
    pub(in super::super) fn on_spawned(&mut self, id: WorkerId, pid: i32, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        worker.process.pid = pid;
        worker.started = turn.now;
        let (process, seat, threads) = (worker.process, worker.seat, worker.threads);
        let is_leaving = worker.is_leaving();
        let apps: Vec<AppId> = worker.apps.keys().copied().collect();
        let name = &self.fleet.pool(seat.pool).config.name;
        self.measures.started(name);
        let paths: Vec<&str> = apps.iter().map(|app| self.fleet.app(*app).path()).collect();
        let loads = if paths.is_empty() { "no app".to_owned() } else { paths.join(", ") };
        let message = format!("started {process} in pool `{name}`; it loads {loads}");
        turn.note(Note::event(EntryKind::WorkerStarted, message).worker(process).pool(name));
        self.dispatch.add_worker(id, threads);
        match is_leaving {
            true => self.dispatch.retire(id), // it was sent away before it was there
            false => self.ask_to_load(id, &apps, turn),
        }
    }

    /// Tells a new worker what to import first and what to load. Apps that took
    /// a worker of this seat down wait, so that they take no other app with them.
    fn ask_to_load(&mut self, id: WorkerId, apps: &[AppId], turn: &mut Turn<'_>) {
        let Some(seat) = self.fleet.worker(id).map(|worker| worker.seat) else { return };
        let mut load = Vec::new();
        let mut later = Vec::new();
        for app in apps {
            match self.fleet.seat(seat).and_then(|seat| seat.deadly.get(app)) {
                Some((retry_at, backoff)) => later.push((*app, *retry_at, *backoff)),
                None => load.push(*app),
            }
        }
        let path = |app: &AppId| self.fleet.app(*app).path().to_owned();
        let unknown: Vec<String> = (load.iter())
            .filter(|app| self.fleet.app(**app).share == Share::Unknown)
            .map(path)
            .collect();
        let paths: Vec<String> = load.iter().map(path).collect();
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        worker.may_retry = !later.is_empty();
        worker.apps.extend(load.iter().map(|app| (*app, Loaded::Pending)));
        for (app, retry_at, backoff) in later {
            worker.apps.insert(app, Loaded::Failed { retry_at, backoff });
            turn.arm(retry_at);
        }
        if let Stage::Starting(claim) = worker.stage {
            worker.stage = Stage::Booting { claim, importing: unknown.len(), done: false };
        }
        match unknown.is_empty() {
            true => turn.tell(id, Control::Load(paths)),
            false => turn.tell(id, Control::Import(unknown)),
        }
    }

    /// A worker process could not even be started.
    pub(in super::super) fn on_not_spawned(
        &mut self,
        id: WorkerId,
        why: &str,
        turn: &mut Turn<'_>,
    ) {
        let Some(worker) = self.fleet.remove_worker(id) else { return };
        let seat = worker.seat;
        match worker.claim() {
            Some(Claim::Holder) => {
                self.seat_failed(seat, why, turn);
                self.on_seat_taken(seat, Err(why.to_owned()), turn);
            }
            Some(Claim::Successor) => self.successor_failed(seat, why, turn),
            // It was sent away before it was there.
            None => self.on_left(&worker, turn),
        }
    }

    /// A worker of a seat failed before it was ready: the next one starts after a
    /// pause.
    pub(in super::super) fn seat_failed(&mut self, id: SeatId, why: &str, turn: &mut Turn<'_>) {
        let random = self.random.f64();
        let Some(seat) = self.fleet.seat_mut(id) else { return };
        let pause = seat.backoff.failed(random);
        let until = turn.now + pause;
        seat.holder = Holder::Pausing { until, cause: Pause::NeverReady };
        turn.arm(until);
        let apps = seat.apps.clone();
        let pool = &self.fleet.pool(id.pool).config.name;
        let message = format!("pool `{pool}`: {why}; the next try is in {pause:.1?}");
        turn.note(Note::line(Level::Warn, message).pool(pool));
        for app in apps {
            if let Some(app) = self.fleet.app_mut(app) {
                app.last_error = Some(why.to_owned());
            }
        }
    }

    /// Starts the workers whose pause is over.
    pub(in super::super) fn restart_due_seats(&mut self, turn: &mut Turn<'_>) {
        let mut due = Vec::new();
        for pool in self.fleet.pool_ids() {
            for (id, seat) in self.fleet.seats(pool) {
                match seat.restart_at() {
                    at if at.is_over(turn.now) => due.push(id),
                    at => turn.arm(at),
                }
            }
        }
        for seat in due {
            self.start_holder(seat, turn);
        }
    }
}
