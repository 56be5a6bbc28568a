//! The boot: a worker imports and loads its first apps, and takes its seat.

use super::super::{
    Action, Machine,
    fleet::{Backoff, Claim, Holder, Loaded, Share, Size, Stage},
    ids::{AppId, PoolId, SeatId, WorkerId},
    turn::{Level, Note, Turn},
};
use crate::{
    call::AppFailure, clock::Deadline, pool::machine::EntryKind, printable::count, worker::Control,
};

/// How many lines of a traceback callers and `status` are shown.
const TRACEBACK_LINES: usize = 6;
/// How a failure to load begins that has a traceback.
const FAILED: &str = "it failed to load; ";

impl Machine {
    /// A worker has imported an app, and tells its class attribute `workers`.
    pub(super) fn on_imported(
        &mut self,
        id: WorkerId,
        path: &str,
        result: Result<Option<u32>, Box<AppFailure>>,
        turn: &mut Turn<'_>,
    ) {
        let Some(app) = self.fleet.app_of_worker(id, path) else { return };
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        let pool = worker.seat.pool;
        let left = match &mut worker.stage {
            Stage::Booting { importing, .. } if *importing > 0 => {
                *importing -= 1;
                Some(*importing)
            }
            _ => None,
        };
        match result {
            Ok(workers) => self.set_class_share(app, pool, workers, turn),
            // A scout loads it all the same, so that the failure takes the
            // usual way; a later try is over with this.
            Err(failure) if left.is_none() => return self.on_loaded(id, path, Err(failure), turn),
            Err(_) => {}
        }
        match left {
            Some(0) => self.end_scouting(id, pool, turn),
            Some(_) => {}
            None => {
                self.fleet.allocate(pool);
                self.load_missing(pool, turn);
                self.load_or_give_up(id, app, turn);
            }
        }
    }

    fn set_class_share(
        &mut self,
        app: AppId,
        pool: PoolId,
        workers: Option<u32>,
        turn: &mut Turn<'_>,
    ) {
        let config = &self.fleet.pool(pool).config;
        let (most, name) = (config.workers.max(1), config.name.clone());
        let path = self.fleet.app(app).path().to_owned();
        let share = match workers {
            None => Share::All,
            Some(n) => Share::Seats(n.max(1)),
        };
        if let Some(n) = workers.filter(|n| *n == 0 || *n > most) {
            let message = format!(
                "app `{path}` asks for {n} workers in its class attribute, but pool `{name}` has {}; it is loaded in {}",
                config.workers,
                n.clamp(1, most)
            );
            turn.note(Note::line(Level::Warn, message).app(&path).pool(&name));
        }
        if let Some(app) = self.fleet.app_mut(app) {
            app.share = share;
        }
    }

    /// All imports of a scout are answered: it loads its part, the others start.
    fn end_scouting(&mut self, id: WorkerId, pool: PoolId, turn: &mut Turn<'_>) {
        self.fleet.allocate(pool);
        let Some(seat) = self.fleet.worker(id).map(|worker| worker.seat) else { return };
        let apps = self.fleet.seat(seat).map_or_else(Vec::new, |seat| seat.apps.clone());
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        worker.apps.retain(|app, _| apps.contains(app));
        for app in &apps {
            worker.apps.entry(*app).or_insert(Loaded::Pending);
        }
        let pending = worker.apps.iter().filter(|(_, loaded)| matches!(loaded, Loaded::Pending));
        let pending: Vec<AppId> = pending.map(|(app, _)| *app).collect();
        let load = pending.iter().map(|app| self.fleet.app(*app).path().to_owned()).collect();
        turn.tell(id, Control::Load(load));
        // Workers that started without what was not known now learn their part.
        self.load_missing(pool, turn);
        let was_scouting =
            (self.fleet.pool_mut(pool)).is_some_and(|pool| std::mem::take(&mut pool.scouting));
        if was_scouting {
            self.start_holders(pool, usize::MAX, turn);
        }
    }

    /// After a later import told an app's share: the worker that tried it goes
    /// on to load it, unless its seat has no part in it.
    fn load_or_give_up(&mut self, id: WorkerId, app: AppId, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker(id) else { return };
        if self.fleet.seat(worker.seat).is_some_and(|seat| seat.apps.contains(&app)) {
            turn.tell(id, Control::Load(vec![self.fleet.app(app).path().to_owned()]));
            return;
        }
        if let Some(worker) = self.fleet.worker_mut(id) {
            worker.apps.remove(&app);
        }
        self.end_retry(id, turn);
    }

    /// An app was loaded in a worker, or not.
    pub(super) fn on_loaded(
        &mut self,
        id: WorkerId,
        path: &str,
        result: Result<(), Box<AppFailure>>,
        turn: &mut Turn<'_>,
    ) {
        let Some(app) = self.fleet.app_of_worker(id, path) else { return };
        let is_retry = self.fleet.worker(id).is_some_and(|worker| worker.loading() == Some(app));
        match result {
            Ok(()) => self.on_app_ready(id, app, is_retry, turn),
            Err(failure) => self.on_app_failed(id, app, &failure, turn),
        }
        if is_retry {
            self.end_retry(id, turn);
        }
    }

    fn on_app_ready(&mut self, id: WorkerId, app: AppId, is_retry: bool, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        worker.apps.insert(app, Loaded::Ready);
        let (process, seat) = (worker.process, worker.seat);
        if let Some(seat) = self.fleet.seat_mut(seat) {
            seat.deadly.remove(&app);
        }
        if !is_retry {
            return;
        }
        self.dispatch.grant(id, app);
        let pool = self.fleet.pool(seat.pool).config.name.clone();
        let Some(row) = self.fleet.app_mut(app) else { return };
        row.last_error = None;
        let path = row.path();
        let message = format!("app `{path}` loaded in {process}; it is served again");
        let note = Note::event(EntryKind::AppRecovered, message);
        turn.note(note.worker(process).app(path).pool(&pool));
    }

    fn on_app_failed(
        &mut self,
        id: WorkerId,
        app: AppId,
        failure: &AppFailure,
        turn: &mut Turn<'_>,
    ) {
        let random = self.random.f64();
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        let mut backoff = match worker.apps.get(&app) {
            Some(Loaded::Failed { backoff, .. }) => *backoff,
            _ => Backoff::default(),
        };
        let pause = backoff.failed(random);
        let retry_at = Deadline::after(turn.now, pause);
        worker.apps.insert(app, Loaded::Failed { retry_at, backoff });
        worker.may_retry = true;
        turn.arm(retry_at);
        let (process, seat, claim) = (worker.process, worker.seat, worker.claim());
        let has_others = worker.apps.len() > 1;
        let old = self.fleet.seat(seat).and_then(super::super::fleet::Seat::occupant);
        let old = old.and_then(|old| self.fleet.worker(old));
        let next = match claim {
            // Then this one may take its seat all the same.
            Some(Claim::Successor)
                if old.is_some_and(|old| old.apps.get(&app).is_some_and(Loaded::has_failed)) =>
            {
                "it is not loaded in the old worker, either".to_owned()
            }
            Some(Claim::Successor) => "the old worker keeps serving".to_owned(),
            None => "that worker is leaving anyway".to_owned(),
            Some(Claim::Holder) if has_others => {
                format!("the next try is in {pause:.1?}; the worker's other apps are not affected")
            }
            Some(Claim::Holder) => format!("the next try is in {pause:.1?}"),
        };
        let pool = self.fleet.pool(seat.pool).config.name.clone();
        let Some(row) = self.fleet.app_mut(app) else { return };
        row.last_error = Some(describe(failure));
        let path = row.path();
        let traceback = failure.traceback.trim_end();
        let message = format!("app `{path}` failed to load in {process}; {next}\n{traceback}");
        turn.note(Note::event(EntryKind::AppFailed, message).worker(process).app(path).pool(&pool));
    }

    /// The first list of a worker is done.
    pub(super) fn on_booted(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        let Stage::Booting { claim, done, .. } = &mut worker.stage else { return };
        *done = true;
        let claim = *claim;
        let (process, seat) = (worker.process, worker.seat);
        let age = turn.now.saturating_duration_since(worker.started);
        let (ready, apps) = (worker.ready_apps().count(), worker.apps.len());
        let pool = &self.fleet.pool(seat.pool).config.name;
        self.measures.booted(pool, age);
        let message = format!(
            "{process} is ready after {age:.1?} with {ready} of {}",
            count(apps as u64, "app")
        );
        turn.note(Note::event(EntryKind::WorkerReady, message).worker(process).pool(pool));
        match claim {
            Claim::Holder => {
                self.open_worker(id, turn);
                let result = self.broken_app(id, |_| false).map_or(Ok(()), Err);
                self.on_seat_taken(seat, result, turn);
            }
            Claim::Successor => self.on_successor_booted(id, turn),
        }
    }

    /// A successor, of a reload or of a recycling, has loaded its apps. It is
    /// good if it can serve all that its predecessor can, and all that is new.
    fn on_successor_booted(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(seat) = self.fleet.worker(id).map(|worker| worker.seat) else { return };
        let old = self.fleet.seat(seat).and_then(super::super::fleet::Seat::occupant);
        let failed_before = |app: &AppId| {
            let old = old.and_then(|old| self.fleet.worker(old));
            // One that has tried in a new process would replace that one to no purpose.
            let untried = self.fleet.seat(seat).is_some_and(|seat| seat.deadly.contains_key(app));
            let old = old.filter(|old| !old.is_spoiled || untried || self.phase.is_replacing(seat));
            old.is_some_and(|old| old.apps.get(app).is_some_and(Loaded::has_failed))
        };
        if let Some(why) = self.broken_app(id, failed_before) {
            self.dismiss_successor(id, "it failed to load an app", turn);
            return self.successor_failed(seat, &why, turn);
        }
        if !self.phase.is_proving(seat) {
            self.seat_successor(seat, turn);
        }
        self.reload_step(seat, Ok(()), turn);
    }

    /// The successor of a seat, which has booted, takes it.
    pub(in super::super) fn seat_successor(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        let Some(seat) = self.fleet.seat(id) else { return };
        let (old, Some(successor)) = (seat.occupant(), seat.successor) else { return };
        self.take_seat(successor, turn);
        if let Some(old) = old {
            self.send_away(old, "its successor is ready", turn);
        }
    }

    /// Why a booted worker is no success: an app that it failed to load.
    fn broken_app(&self, id: WorkerId, is_excused: impl Fn(&AppId) -> bool) -> Option<String> {
        let worker = self.fleet.worker(id)?;
        let mut failed = worker.apps.iter().filter(|(_, loaded)| loaded.has_failed());
        let (app, _) = failed.find(|(app, _)| !is_excused(app))?;
        let row = self.fleet.app(*app);
        let why = match row.last_error.as_deref().unwrap_or("see the log") {
            why if why.starts_with(FAILED) => why.replacen(FAILED, "; ", 1),
            why => format!(": {why}"),
        };
        Some(format!("app `{}` failed to load in the new worker{why}", row.path()))
    }

    /// A worker becomes the holder of its seat, and takes calls if it has booted.
    pub(super) fn take_seat(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        worker.holds_its_seat();
        let (seat, has_booted) = (worker.seat, worker.has_booted());
        if let Some(seat) = self.fleet.seat_mut(seat) {
            seat.successor = None;
            seat.holder = Holder::Worker(id);
        }
        if has_booted {
            self.open_worker(id, turn);
        }
    }

    /// Lets a booted worker that holds its seat take calls.
    fn open_worker(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        let (loading, size) = (None, Size::Unknown);
        worker.stage = Stage::Serving { loading, size, recycle_after: turn.now };
        let seat = worker.seat;
        let ready: Vec<AppId> = worker.ready_apps().collect();
        for app in ready {
            self.dispatch.grant(id, app);
            if let Some(app) = self.fleet.app_mut(app) {
                app.last_error = None;
            }
        }
        if let Some(row) = self.fleet.seat_mut(seat) {
            row.backoff.succeeded();
        }
        if self.has_memory_rule(id) {
            turn.act(Action::Measure(id));
        }
        // Its seat may have got more since it was started.
        self.load_missing(seat.pool, turn);
        self.feed(id, turn);
    }

    /// Gives every worker in a seat the apps that it lacks, unless a reload is
    /// going to replace it: its code may not know them.
    pub(in super::super) fn load_missing(&mut self, pool: PoolId, turn: &mut Turn<'_>) {
        let lacks: Vec<(WorkerId, AppId)> = (self.fleet.seats(pool))
            .filter(|(id, _)| !self.phase.is_replacing(*id))
            .filter_map(|(_, seat)| Some((self.fleet.worker(seat.occupant()?)?, seat)))
            .flat_map(|(worker, seat)| {
                let lacking = seat.apps.iter().filter(|app| !worker.apps.contains_key(app));
                lacking.map(|app| (worker.id(), *app))
            })
            .collect();
        for (id, app) in lacks {
            // A reload that failed may have left it with a row of its own for the app.
            let path = self.fleet.app(app).path();
            let twin = self.fleet.app_of_worker(id, path);
            let Some(worker) = self.fleet.worker_mut(id) else { continue };
            let nothing = Loaded::Failed { retry_at: turn.now.into(), backoff: Backoff::default() };
            let loaded = twin.and_then(|twin| worker.apps.remove(&twin)).unwrap_or(nothing);
            if twin.is_some() && worker.loading() == twin {
                worker.set_loading(Some(app));
            }
            let serves = worker.is_serving() && matches!(loaded, Loaded::Ready);
            worker.apps.insert(app, loaded);
            worker.may_retry = true;
            if serves {
                self.dispatch.grant(id, app);
                self.dispatch.feed_app(app, turn);
            }
        }
        turn.arm(turn.now);
    }

    /// The worker of a seat booted, or failed to; a swap waits for that. While
    /// a successor boots, it was the old worker, late: that replaces nothing.
    pub(super) fn on_seat_taken(
        &mut self,
        id: SeatId,
        result: Result<(), String>,
        turn: &mut Turn<'_>,
    ) {
        if self.fleet.seat(id).is_none_or(|seat| seat.successor.is_none()) {
            self.reload_step(id, result, turn);
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
        false => format!("{FAILED}the traceback ends with\n{tail}"),
    }
}
