//! Replacing workers that work, because of the calls that they have served, their
//! age or their memory. The replacement is ready first; then the old one drains.

use std::time::{Duration, Instant};

use super::super::{
    Action, Machine,
    fleet::{Size, Stage, Worker},
    ids::{AppId, WorkerId},
    turn::{Level, Note, Turn},
};
use crate::{
    call::WorkerRef,
    clock::Deadline,
    config::{PoolConfig, Recycle},
    pool::RestartError,
};

/// How often lifetimes and memory are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait after a replacement failed.
const RETRY: Duration = Duration::from_secs(10);

impl Machine {
    /// After how many calls a new worker is replaced.
    pub(super) fn draw_max_requests(&mut self, rule: &Recycle) -> Option<u64> {
        let random = &mut self.random;
        rule.max_requests.map(|least| least + random.u64(0..=rule.max_requests_jitter))
    }

    /// Starts looking at lifetimes and memory, if some pool has a rule.
    pub(in super::super) fn start_housekeeping(&mut self, turn: &mut Turn<'_>) {
        let mut pools = self.fleet.pool_ids().into_iter();
        let has_rules = pools.any(|pool| has_rule(&self.fleet.pool(pool).config));
        self.next_look = if has_rules { Deadline::after(turn.now, LOOK) } else { Deadline::Never };
        turn.arm(self.next_look);
    }

    /// Looks at lifetimes, and asks for the memory of workers that have a limit.
    pub(in super::super) fn housekeep(&mut self, turn: &mut Turn<'_>) {
        if !self.next_look.is_over(turn.now) {
            return turn.arm(self.next_look);
        }
        for id in self.fleet.workers_that(Worker::is_serving) {
            let Some(worker) = self.fleet.worker(id) else { continue };
            let old = |(rule, of): (Recycle, String)| too_old(worker, rule, &of, turn.now);
            let why = self.rules_of(worker).find_map(old);
            match why {
                Some(why) => self.recycle(id, &why, turn),
                None if self.has_memory_rule(id) => turn.act(Action::Measure(id)),
                None => {}
            }
        }
        self.start_housekeeping(turn);
    }

    /// The rules that a worker has from its pool and from its apps, with whose
    /// they are.
    fn rules_of(&self, worker: &Worker) -> impl Iterator<Item = (Recycle, String)> {
        let pool = self.fleet.pool(worker.seat.pool).config.recycle;
        let apps = worker.apps.keys().map(|app| &self.fleet.app(*app).config);
        let apps = apps.map(|app| (app.recycle, format!(" of app `{}`", app.path)));
        std::iter::once((pool, String::new())).chain(apps)
    }

    /// Whether some rule limits the memory of a worker.
    pub(super) fn has_memory_rule(&self, id: WorkerId) -> bool {
        let rules = self.fleet.worker(id).map(|worker| self.rules_of(worker));
        rules.into_iter().flatten().any(|(rule, _)| rule.max_memory.is_some())
    }

    /// A worker was measured. If it was too large as soon as it was ready, to
    /// replace it would not help, and would not end.
    pub(in super::super) fn on_measured(&mut self, id: WorkerId, bytes: u64, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker(id) else { return };
        let process = worker.process;
        let why = self.rules_of(worker).find_map(|(rule, of)| too_large(bytes, rule, &of));
        let Some(Stage::Serving { size, .. }) =
            self.fleet.worker_mut(id).map(|worker| &mut worker.stage)
        else {
            return;
        };
        match (*size, why) {
            (Size::Unknown, None) => *size = Size::Normal,
            (Size::Unknown, Some(why)) => {
                *size = Size::Oversize;
                let message = format!(
                    "{process} has just started, and {why}: it is not replaced for that; raise the limit"
                );
                turn.note(Note::line(Level::Warn, message).worker(process));
            }
            (Size::Normal, Some(why)) => self.recycle(id, &why, turn),
            (Size::Normal, None) | (Size::Oversize, _) => {}
        }
    }

    /// After each call, because only that changes the count.
    pub(in super::super) fn recycle_after_call(
        &mut self,
        id: WorkerId,
        app: Option<AppId>,
        turn: &mut Turn<'_>,
    ) {
        // The row of an app that a reload took out may be gone before its last call.
        let app = app.filter(|app| self.fleet.find_app(*app).is_some());
        let rule = app.map(|app| self.fleet.app(app).config.recycle);
        let drawn = rule.and_then(|rule| self.draw_max_requests(&rule));
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        if let (Some(app), Some(drawn)) = (app, drawn) {
            let (served, most) = worker.app_requests.entry(app).or_insert((0, drawn));
            *served += 1;
            if *served >= *most {
                let served = *served;
                let path = self.fleet.app(app).path();
                let why = format!("it has served {served} calls of app `{path}` (max_requests)");
                return self.recycle(id, &why, turn);
            }
        }
        if worker.max_requests.is_some_and(|most| worker.served >= most) {
            let why = format!("it has served {} calls (max_requests)", worker.served);
            self.recycle(id, &why, turn);
        }
    }

    /// An operator has a worker replaced. Returns it, and its pool.
    pub(in super::super) fn restart(
        &mut self,
        id: WorkerId,
        turn: &mut Turn<'_>,
    ) -> Result<(WorkerRef, String), RestartError> {
        if !self.phase.may_replace_workers() {
            return Err(RestartError::Draining);
        }
        let Some(worker) = self.fleet.worker(id) else {
            let known = self.fleet.workers().map(|worker| worker.process).collect();
            return Err(RestartError::NoSuchWorker { id, known });
        };
        let (process, seat) = (worker.process, worker.seat);
        if worker.is_leaving() {
            return Err(RestartError::Leaving(process));
        }
        if !worker.is_serving() {
            return Err(RestartError::Booting(process));
        }
        let Some(row) = self.fleet.seat(seat).filter(|row| row.successor.is_none()) else {
            return Err(RestartError::Leaving(process));
        };
        let apps = row.apps.clone();
        if let Some(earlier) = self.fleet.leaves(seat).next() {
            return Err(RestartError::TooSoon { worker: process, earlier: earlier.process });
        }
        let message = format!("replacing {process}: an operator asked for it");
        turn.note(Note::line(Level::Info, message).worker(process));
        self.start_successor(seat, apps, turn);
        Ok((process, self.fleet.pool(seat.pool).config.name.clone()))
    }

    pub(super) fn recycle(&mut self, id: WorkerId, why: &str, turn: &mut Turn<'_>) {
        if !self.phase.may_replace_workers() {
            return;
        }
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        let (process, seat) = (worker.process, worker.seat);
        let Stage::Serving { recycle_after, .. } = &mut worker.stage else { return };
        if *recycle_after > turn.now {
            return;
        }
        let retry_at = turn.now + RETRY;
        let Some(row) = self.fleet.seat(seat).filter(|row| row.successor.is_none()) else { return };
        let apps = row.apps.clone();
        let is_clear = self.fleet.leaves(seat).next().is_none();
        if let Some(Stage::Serving { recycle_after, .. }) =
            self.fleet.worker_mut(id).map(|worker| &mut worker.stage)
        {
            *recycle_after = retry_at;
        }
        if !is_clear {
            return; // the one that was replaced last has not left yet
        }
        let message = format!("replacing {process}: {why}");
        turn.note(Note::line(Level::Info, message).worker(process));
        self.start_successor(seat, apps, turn);
    }

    /// The replacement of a worker is no good.
    pub(super) fn keep_recycled(&self, id: WorkerId, why: &str, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker(id) else { return };
        let process = worker.process;
        let message = format!(
            "{process} was not replaced and keeps serving; the next try is in {RETRY:?} at the earliest: {why}"
        );
        turn.note(Note::line(Level::Warn, message).worker(process));
    }
}

fn has_rule(config: &PoolConfig) -> bool {
    let mut rules = config.apps.iter().map(|app| &app.recycle).chain([&config.recycle]);
    rules.any(|rule| rule.max_lifetime.is_some() || rule.max_memory.is_some())
}

fn too_old(worker: &Worker, rule: Recycle, of: &str, now: Instant) -> Option<String> {
    let age = now.saturating_duration_since(worker.started);
    let old = rule.max_lifetime.is_some_and(|most| age >= most);
    old.then(|| format!("it is {age:.0?} old (max_lifetime{of})"))
}

fn too_large(bytes: u64, rule: Recycle, of: &str) -> Option<String> {
    (rule.max_memory.is_some_and(|most| bytes > most)).then(|| {
        let size = bytesize::ByteSize::b(bytes);
        format!("it uses {size} of memory (max_memory{of})")
    })
}
