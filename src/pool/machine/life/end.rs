//! The end of a worker: it leaves its seat, and dies; what becomes of its calls
//! and of its seat.

use std::time::Duration;

use super::super::{
    Machine,
    fleet::{Backoff, Claim, Holder, Pause, Stage, Worker},
    ids::{AppId, SeatId, WorkerId},
    turn::{Level, Note, Turn},
};
use crate::{
    call::EndedBy,
    clock::Deadline,
    pool::machine::{EntryKind, measures::Cause},
    printable::count,
    worker::{Control, Death},
};

impl Machine {
    /// A worker leaves its seat: it finishes its calls and exits. One that boots
    /// still has nothing to finish.
    pub(in super::super) fn send_away(&mut self, id: WorkerId, why: &str, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id).filter(|worker| !worker.is_leaving()) else {
            return;
        };
        let (process, pool) = (worker.process, worker.seat.pool);
        let can_close = worker.has_booted();
        let is_there = !matches!(worker.stage, Stage::Starting(_));
        worker.stage = if can_close { Stage::Draining } else { Stage::Ending };
        self.dispatch.retire(id);
        match can_close {
            true => {
                turn.tell(id, Control::Drain);
                turn.tell(id, Control::EndStreams(turn.now + self.shared.drain_timeout));
                self.hasten_earlier(id, turn);
            }
            false => turn.tell(id, Control::Kill(why.to_owned())),
        }
        if !is_there {
            return; // nobody has heard of it
        }
        let then = match self.dispatch.load(id) {
            0 => "exit".to_owned(),
            running => format!("finish {} and exit", count(running, "call")),
        };
        let pool = &self.fleet.pool(pool).config.name;
        let message = format!("{process} is draining: {why}; it will {then}");
        turn.note(Note::event(EntryKind::WorkerDraining, message).worker(process).pool(pool));
    }

    /// One worker at most leaves a seat at its leisure: the streams of those before it
    /// end.
    fn hasten_earlier(&self, id: WorkerId, turn: &mut Turn<'_>) {
        let Some(seat) = self.fleet.worker(id).map(|worker| worker.seat) else { return };
        for earlier in self.fleet.leaves(seat).filter(|earlier| earlier.id() != id) {
            turn.tell(earlier.id(), Control::EndStreams(turn.now));
        }
    }

    /// A worker ends now, whatever it does.
    pub(in super::super) fn end_now(&mut self, id: WorkerId, why: &str, turn: &mut Turn<'_>) {
        let Some(worker) = self.fleet.worker_mut(id) else { return };
        worker.stage = Stage::Ending;
        self.dispatch.retire(id);
        turn.tell(id, Control::Kill(why.to_owned()));
    }

    /// A worker process has ended.
    pub(super) fn on_died(&mut self, id: WorkerId, mut death: Box<Death>, turn: &mut Turn<'_>) {
        let loading = death.loading.as_ref().and_then(|path| self.fleet.app_of_worker(id, path));
        self.dispatch.remove_worker(id);
        let Some(worker) = self.fleet.remove_worker(id) else { return };
        let unstarted = std::mem::take(&mut death.unstarted);
        let pool = &self.fleet.pool(worker.seat.pool).config.name;
        self.measures.died(pool, Cause::of(&death.ended, worker.is_leaving()));
        self.note_death(&worker, &death, unstarted.len(), turn);
        for end in &death.lost {
            self.dispatch.on_lost(*end);
        }
        let mut waiting: Vec<AppId> = Vec::new();
        for call in unstarted {
            // A reload may have moved its app to another pool, or taken it out.
            let app = self.fleet.named(&call.request.app);
            if self.dispatch.give_back(call, app, turn) {
                waiting.extend(app);
            }
        }
        match worker.claim() {
            Some(Claim::Holder) => self.seat_emptied(&worker, &death, loading, turn),
            Some(Claim::Successor) => {
                let what = death.loading.as_ref();
                let what = what.map_or(String::new(), |app| format!(" while loading app `{app}`"));
                let why = format!("the new worker {}{what}", death.ended);
                self.successor_failed(worker.seat, &why, turn);
            }
            None => self.on_left(&worker, turn),
        }
        for app in waiting {
            self.dispatch.feed_app(app, turn);
        }
    }

    fn note_death(&self, worker: &Worker, death: &Death, unstarted: usize, turn: &mut Turn<'_>) {
        let pool = &self.fleet.pool(worker.seat.pool).config.name;
        let expected = worker.is_leaving() && death.ended == EndedBy::Exit(0);
        let next = match worker.claim() {
            _ if self.phase.drain().is_some() => {
                "; it is not replaced, because the arbiter is draining"
            }
            Some(Claim::Holder) => "; it will be replaced",
            Some(Claim::Successor) => "; the old worker keeps serving",
            None if expected => ", as requested",
            None => "; it was leaving anyway",
        };
        let (process, ended) = (worker.process, &death.ended);
        let mut message = match &death.loading {
            Some(app) => format!("{process} {ended} while loading app `{app}`{next}"),
            None => format!("{process} {ended}{next}"),
        };
        if !death.lost.is_empty() || unstarted > 0 {
            let lost = match death.lost.len() {
                0 => None,
                1 => Some("1 started call was lost".to_owned()),
                lost => Some(format!("{lost} started calls were lost")),
            };
            let back = match unstarted {
                0 => None,
                1 => Some("1 call went back to its queue".to_owned()),
                back => Some(format!("{back} calls went back to their queues")),
            };
            let parts: Vec<_> = lost.into_iter().chain(back).collect();
            message += &format!("; {}", parts.join(", "));
        }
        let level = match expected || self.phase.drain().is_some() {
            true => Level::Info,
            false => Level::Warn,
        };
        let mut note = Note::event(EntryKind::WorkerDied, message).at(level);
        note.app.clone_from(&death.loading);
        turn.note(note.worker(process).pool(pool));
    }

    /// The holder of a seat is gone: its successor takes over, or another worker
    /// is started: at once if it had been ready, after a pause if not.
    fn seat_emptied(
        &mut self,
        worker: &Worker,
        death: &Death,
        loading: Option<AppId>,
        turn: &mut Turn<'_>,
    ) {
        let id = worker.seat;
        let random = self.random.f64();
        let Some(seat) = self.fleet.seat_mut(id) else { return };
        seat.holder = Holder::Nobody;
        if !self.phase.may_replace_workers() {
            return;
        }
        if let Some(successor) = seat.successor {
            return self.take_seat(successor, turn);
        }
        if let Some(app) = loading {
            let (retry_at, backoff) =
                seat.deadly.entry(app).or_insert((Deadline::Never, Backoff::default()));
            *retry_at = Deadline::after(turn.now, backoff.failed(random));
        }
        if worker.is_serving() {
            return self.replace_crashed(id, turn);
        }
        let said = match death.last_words.as_str() {
            "" => String::new(),
            line => format!(", and last wrote: {line}"),
        };
        let what = death.loading.as_ref();
        let what = what.map_or(String::new(), |app| format!(", while loading app `{app}`"));
        let why = format!("{} {}{said}{what}", worker.process, death.ended);
        self.seat_failed(id, &why, turn);
        self.on_seat_taken(id, Err(why), turn);
    }

    fn replace_crashed(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        let Some(pool) = self.fleet.pool_mut(id.pool) else { return };
        let intensity = pool.config.intensity;
        let Some(pause) = pool.deaths.record(intensity, turn.now) else {
            return self.start_holder(id, turn);
        };
        let name = pool.config.name.clone();
        let until = turn.now + pause;
        turn.arm(until);
        let Some(seat) = self.fleet.seat_mut(id) else { return };
        seat.holder = Holder::Pausing { until, cause: Pause::TooManyDeaths };
        let apps = seat.apps.clone();
        let why = format!(
            "more than {} workers of pool `{name}` died within {:?} (max_restarts, restart_window)",
            intensity.max_restarts, intensity.window
        );
        let message = format!("{why}; the next one starts in {pause:.1?}");
        turn.note(Note::line(Level::Error, message).pool(&name));
        for app in apps {
            if !self.has_hope(app) {
                self.fail_app(app, &name, &why, pause, turn);
            }
        }
        // A swap that waits for this seat would wait for the whole pause.
        self.on_seat_taken(id, Err(why), turn);
    }

    /// Nobody serves the app, or is going to before `pause` is over.
    fn fail_app(
        &mut self,
        app: AppId,
        pool: &str,
        why: &str,
        pause: Duration,
        turn: &mut Turn<'_>,
    ) {
        let Some(row) = self.fleet.app_mut(app) else { return };
        row.last_error = Some(format!("{why}; the next one starts when that time is over"));
        let path = row.path();
        let message = format!(
            "app `{path}` has no worker left: {why}; its calls are refused until the next one starts, in {pause:.1?}"
        );
        turn.note(Note::event(EntryKind::AppFailed, message).app(path).pool(pool));
    }

    /// A worker that had left its seat is gone; a swap now starts the new one.
    pub(super) fn on_left(&mut self, worker: &Worker, turn: &mut Turn<'_>) {
        let id = worker.seat;
        let Some(seat) = self.fleet.seat_mut(id) else { return };
        if seat.occupant() != Some(worker.id()) {
            return self.on_seat_clear(id, turn);
        }
        seat.holder = Holder::Nobody;
        if self.phase.may_replace_workers() {
            self.start_holder(id, turn);
        }
    }

    /// The worker that was to replace the holder of a seat is no good.
    pub(super) fn successor_failed(&mut self, id: SeatId, why: &str, turn: &mut Turn<'_>) {
        let Some(seat) = self.fleet.seat_mut(id) else { return };
        seat.successor = None;
        if let (Some(old), false) = (seat.occupant(), self.phase.is_replacing(id)) {
            self.keep_recycled(old, why, turn);
        }
        self.fleet.forget_cured_errors(|app| self.dispatch.servers(app) > 0);
        self.reload_step(id, Err(why.to_owned()), turn);
    }

    /// A successor is not wanted any more.
    pub(in super::super) fn dismiss_successor(
        &mut self,
        id: WorkerId,
        why: &str,
        turn: &mut Turn<'_>,
    ) {
        let Some(seat) = self.fleet.worker(id).map(|worker| worker.seat) else { return };
        if let Some(seat) = self.fleet.seat_mut(seat) {
            seat.successor = None;
        }
        self.send_away(id, why, turn);
        self.fleet.forget_cured_errors(|app| self.dispatch.servers(app) > 0);
    }

    /// Forgets what is out of the configuration and what no worker has any more.
    pub(in super::super) fn free_rows(&mut self) {
        for app in self.fleet.free_rows() {
            self.dispatch.remove_app(app);
        }
    }
}
