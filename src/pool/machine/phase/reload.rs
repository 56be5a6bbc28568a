//! Reload: a new configuration, and new workers with new code, one at a time.
//!
//! ```text
//!   surge:  successor starts ─> is ready ─> takes the seat ─> the old one drains
//!   swap:   the old one drains ─> exits ─> the new one starts ─> is ready
//! ```
//!
//! The first worker that does not become ready ends the reload: with nothing
//! replaced yet, the old configuration is put back. A surge first has one new worker
//! of each pool ready, the new pools included; only then does the first old one
//! leave.
//!
//! A seat whose last worker is still leaving waits for that: there are never three
//! workers of one seat.
//!
//! It concerns all pools, or one that is named: then the others, and the settings
//! that all share, stay as they run.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{
    super::{
        Action, Machine, Shared,
        fleet::{Claim, Share},
        ids::{AppId, PoolId, SeatId},
        turn::{Level, Note, Turn},
    },
    Phase, Scope,
    rollback::Rollback,
};
use crate::{
    call::CallError,
    config::{AppConfig, Config, PoolConfig, ReloadMode},
    pool::{ReloadError, machine::EntryKind},
    printable::count,
};

/// A reload in progress.
#[derive(Debug)]
pub struct Reload {
    scope: Scope,
    /// The seats whose new workers are to be ready before any old one leaves: the
    /// first of each pool.
    proving: BTreeSet<SeatId>,
    /// Those of them whose new workers are.
    proven: Vec<SeatId>,
    /// The seats that come after them, and the one whose turn it is.
    waiting: VecDeque<SeatId>,
    current: Option<SeatId>,
    /// Of those whose turn it is, the ones that wait for an earlier worker to leave.
    held_up: BTreeSet<SeatId>,
    replaced: u32,
    /// The new sizes of pools that change theirs.
    sizes: Vec<(PoolId, usize)>,
    /// The pools that are no longer configured.
    leaving: Vec<PoolId>,
    rollback: Rollback,
}

impl Reload {
    /// Whether it is replacing the worker of a seat, or is going to.
    pub fn concerns(&self, seat: SeatId) -> bool {
        self.is_at(seat) || self.proven.contains(&seat) || self.waiting.contains(&seat)
    }

    /// Whether it is the turn of a seat.
    fn is_at(&self, seat: SeatId) -> bool {
        self.current == Some(seat) || self.proving.contains(&seat)
    }

    /// Whether the new worker of a seat is to wait for those of other pools.
    pub fn is_proving(&self, seat: SeatId) -> bool {
        self.proving.contains(&seat)
    }

    /// Takes the first waiting seat of each pool.
    fn take_first_seats(&mut self) -> Vec<SeatId> {
        let (mut first, mut rest) = (Vec::<SeatId>::new(), VecDeque::new());
        for seat in self.waiting.drain(..) {
            match first.last().is_some_and(|last| last.pool == seat.pool) {
                true => rest.push_back(seat),
                false => first.push(seat),
            }
        }
        self.waiting = rest;
        first
    }
}

impl Machine {
    pub(in super::super) fn begin_reload(
        &mut self,
        config: &Config,
        scope: Scope,
        turn: &mut Turn<'_>,
    ) {
        if let Err(why) = self.may_reload(config, &scope) {
            return turn.act(Action::Reloaded(Err(why)));
        }
        let mut rollback = self.rollback(&scope);
        let known: BTreeSet<PoolId> = self.fleet.pool_ids().into_iter().collect();
        let (sizes, leaving) = self.apply(config, &scope, &mut rollback);
        let waiting: VecDeque<SeatId> = (self.pools_in(&scope).into_iter())
            .filter(|pool| known.contains(pool) && !leaving.contains(pool))
            .flat_map(|pool| self.fleet.seats(pool))
            .filter(|(_, seat)| seat.occupant().is_some())
            .map(|(id, _)| id)
            .collect();
        let one_by_one = if waiting.len() > 1 { ", one by one" } else { "" };
        let message =
            format!("{scope}: replacing {}{one_by_one}", count(waiting.len() as u64, "worker"));
        turn.note(scope.note(Note::event(EntryKind::ReloadStarted, message)));
        let added = rollback.added_pools.clone();
        let mut reload = Reload {
            scope,
            proving: BTreeSet::new(),
            proven: Vec::new(),
            waiting,
            current: None,
            held_up: BTreeSet::new(),
            replaced: 0,
            sizes,
            leaving,
            rollback,
        };
        let mut first = Vec::new();
        if self.shared.reload == ReloadMode::Surge {
            first = reload.take_first_seats();
            reload.proving.extend(&first);
            let of_added = added.iter().filter_map(|pool| self.fleet.seats(*pool).next());
            reload.proving.extend(of_added.map(|(seat, _)| seat));
        }
        self.phase = Phase::Reloading(Box::new(reload));
        for pool in added {
            self.fill_seats(pool, turn);
        }
        for seat in first {
            self.replace_in(seat, turn);
        }
        self.advance_reload(turn);
    }

    /// Whether a reload may begin; nothing has changed if not.
    fn may_reload(&self, config: &Config, scope: &Scope) -> Result<(), ReloadError> {
        self.phase.may_reload()?;
        let Scope::One(pool) = scope else { return Ok(()) };
        let name = |pool: PoolId| self.fleet.pool(pool).config.name.as_str();
        let at_work = self.fleet.pool_ids();
        let mut known: Vec<String> =
            at_work.into_iter().map(|pool| name(pool).to_owned()).collect();
        for new in &config.pools {
            if !known.contains(&new.name) {
                known.push(new.name.clone());
            }
        }
        if !known.contains(pool) {
            return Err(ReloadError::NoSuchPool { pool: pool.clone(), known });
        }
        // Half of a move would leave the app in two pools, or in none.
        for new in &config.pools {
            for app in &new.apps {
                let Some(old) = self.fleet.named(&app.path) else { continue };
                let (from, to) = (name(self.fleet.app(old).pool), new.name.as_str());
                if from != to && (scope.has(from) || scope.has(to)) {
                    let (app, from, to) = (app.path.clone(), from.to_owned(), to.to_owned());
                    return Err(ReloadError::Moves { app, from, to });
                }
            }
        }
        Ok(())
    }

    /// The configured pools that a reload concerns.
    fn pools_in(&self, scope: &Scope) -> Vec<PoolId> {
        let mut pools = self.fleet.pool_ids();
        pools.retain(|pool| scope.has(&self.fleet.pool(*pool).config.name));
        pools
    }

    /// Puts a configuration into the tables. Returns the new sizes of pools that
    /// change theirs, and the pools that are no longer configured.
    fn apply(
        &mut self,
        config: &Config,
        scope: &Scope,
        rollback: &mut Rollback,
    ) -> (Vec<(PoolId, usize)>, Vec<PoolId>) {
        if let Scope::All = scope {
            self.shared = self.shared.reloaded(Shared::of(config));
        }
        let mut sizes = Vec::new();
        let mut kept = Vec::new();
        for new in config.pools.iter().filter(|pool| scope.has(&pool.name)) {
            let Some(pool) = self.fleet.pool_named(&new.name) else {
                let pool = self.add_pool(new);
                rollback.added_pools.push(pool);
                rollback.added_apps.extend(self.fleet.shares(pool).into_iter().map(|(app, _)| app));
                kept.push(pool);
                continue;
            };
            kept.push(pool);
            if self.fleet.pool(pool).config.workers != new.workers {
                sizes.push((pool, new.workers as usize));
            }
            if let Some(row) = self.fleet.pool_mut(pool) {
                row.config = Arc::new(new.clone());
            }
            for app in &new.apps {
                self.apply_app(pool, app, rollback);
            }
        }
        let mut leaving = self.pools_in(scope);
        leaving.retain(|pool| !kept.contains(pool));
        self.mark_leaving_apps(config, scope);
        for pool in kept {
            self.fleet.allocate(pool);
        }
        (sizes, leaving)
    }

    fn apply_app(&mut self, pool: PoolId, new: &AppConfig, rollback: &mut Rollback) {
        let known = self.fleet.named(&new.path).filter(|app| self.fleet.app(*app).pool == pool);
        let app = known.unwrap_or_else(|| {
            let app = self.fleet.add_app(pool, new);
            rollback.added_apps.push(app);
            app
        });
        self.dispatch.set_app(app, new.queue);
        if let Some(row) = self.fleet.app_mut(app) {
            row.configure(new);
        }
    }

    /// Marks the apps of the scope that are no longer configured where they are.
    fn mark_leaving_apps(&mut self, config: &Config, scope: &Scope) {
        let is_leaving: Vec<(AppId, bool)> = (self.fleet.apps())
            .map(|(id, app)| {
                let pool = &self.fleet.pool(app.pool).config.name;
                let configured = |new: &PoolConfig| {
                    new.name == *pool && new.apps.iter().any(|new| new.path == app.path())
                };
                (id, scope.has(pool) && !config.pools.iter().any(configured))
            })
            .collect();
        for (id, leaving) in is_leaving {
            if let Some(app) = self.fleet.app_mut(id) {
                app.leaving = leaving;
            }
        }
    }

    /// Goes on with the next worker, or ends the reload.
    fn advance_reload(&mut self, turn: &mut Turn<'_>) {
        let Phase::Reloading(reload) = &mut self.phase else { return };
        if !reload.proving.is_empty() {
            return;
        }
        let proven = std::mem::take(&mut reload.proven);
        let is_new = |seat: &&SeatId| reload.rollback.added_pools.contains(&seat.pool);
        reload.replaced += (proven.len() - proven.iter().filter(is_new).count()) as u32;
        for seat in proven {
            self.seat_successor(seat, turn);
        }
        let Phase::Reloading(reload) = &mut self.phase else { return };
        reload.current = reload.waiting.pop_front();
        match reload.current {
            Some(seat) => self.replace_in(seat, turn),
            None => self.finish_reload(turn),
        }
    }

    /// Replaces the worker of a seat whose turn it is.
    fn replace_in(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        let seat = self.fleet.seat_mut(id);
        let (old, successor) =
            seat.map_or((None, None), |seat| (seat.occupant(), seat.successor.take()));
        // A recycling was under way here; the reload replaces the worker anyway.
        if let Some(successor) = successor {
            self.end_now(successor, "a reload replaces it", turn);
        }
        // The seat is gone or empty: nothing to replace.
        let Some(old) = old else { return self.pass_seat(id, turn) };
        if let Some(earlier) = self.fleet.leaves(id).next() {
            let (process, calls) =
                (earlier.process, count(self.dispatch.load(earlier.id()), "call"));
            let message =
                format!("the reload is waiting for {process}, which will finish {calls} and exit");
            turn.note(Note::line(Level::Info, message).worker(process));
            if let Phase::Reloading(reload) = &mut self.phase {
                reload.held_up.insert(id);
            }
            return;
        }
        match self.shared.reload {
            ReloadMode::Surge => self.replace_by_successor(id, turn),
            ReloadMode::Swap => self.send_away(old, "a reload replaces it, old one first", turn),
        }
    }

    /// An earlier worker of a seat is gone: a reload may have waited for that.
    pub(in super::super) fn on_seat_clear(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        if self.fleet.leaves(id).next().is_some() {
            return;
        }
        let Phase::Reloading(reload) = &mut self.phase else { return };
        if reload.held_up.remove(&id) {
            self.replace_in(id, turn);
        }
    }

    /// A seat has nothing to replace.
    fn pass_seat(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        let Phase::Reloading(reload) = &mut self.phase else { return };
        if reload.proving.remove(&id) || reload.current == Some(id) {
            self.advance_reload(turn);
        }
    }

    /// Goes on if seats whose turn it is have left: their pool was scaled down.
    pub(in super::super) fn skip_lost_seats(&mut self, turn: &mut Turn<'_>) {
        let Phase::Reloading(reload) = &mut self.phase else { return };
        let fleet = &self.fleet;
        let is_there = |seat: &SeatId| fleet.seat(*seat).is_some();
        let proved = reload.proving.len();
        reload.proving.retain(is_there);
        reload.proven.retain(is_there);
        reload.held_up.retain(is_there);
        let is_at_none = proved > 0 && reload.proving.is_empty();
        if is_at_none || reload.current.is_some_and(|seat| !is_there(&seat)) {
            self.advance_reload(turn);
        }
    }

    fn replace_by_successor(&mut self, id: SeatId, turn: &mut Turn<'_>) {
        let Some(seat) = self.fleet.seat(id) else { return };
        // What nobody has imported yet is this worker's to find out.
        let unknown = self.fleet.shares(id.pool).into_iter();
        let unknown = unknown.filter(|(_, share)| *share == Share::Unknown).map(|(app, _)| app);
        let apps: BTreeSet<AppId> = seat.apps.iter().copied().chain(unknown).collect();
        self.start_successor(id, apps.into_iter().collect(), turn);
    }

    /// The worker of a seat was replaced, or could not be.
    pub(in super::super) fn reload_step(
        &mut self,
        seat: SeatId,
        result: Result<(), String>,
        turn: &mut Turn<'_>,
    ) {
        let Phase::Reloading(reload) = &mut self.phase else { return };
        if !reload.is_at(seat) || reload.held_up.contains(&seat) {
            return;
        }
        if let Err(why) = result {
            return self.fail_reload(&why, turn);
        }
        match reload.proving.remove(&seat) {
            true => reload.proven.push(seat),
            false => reload.replaced += 1,
        }
        self.advance_reload(turn);
    }

    /// Takes the reload out of the phase: it is over.
    fn end_reload(&mut self) -> Option<Box<Reload>> {
        match std::mem::replace(&mut self.phase, Phase::Serving) {
            Phase::Reloading(reload) => Some(reload),
            other => {
                self.phase = other;
                None
            }
        }
    }

    fn finish_reload(&mut self, turn: &mut Turn<'_>) {
        let Some(reload) = self.end_reload() else { return };
        let leaving: Vec<AppId> =
            self.fleet.apps().filter(|(_, app)| app.leaving).map(|(id, _)| id).collect();
        for app in leaving {
            self.remove_app(app, turn);
        }
        for pool in reload.leaving {
            self.remove_pool(pool, "its pool is no longer configured", turn);
        }
        for (pool, seats) in reload.sizes {
            self.resize(pool, seats, "its pool is smaller now", turn);
        }
        for pool in self.pools_in(&reload.scope) {
            // Seats that wait after failures are tried at once: something changed.
            if let Some(pool) = self.fleet.pool_mut(pool) {
                pool.seats.iter_mut().for_each(super::super::fleet::Seat::try_afresh);
            }
            self.fleet.allocate(pool);
            self.load_missing(pool, turn);
            self.fill_seats(pool, turn);
        }
        self.reloads += 1;
        self.start_housekeeping(turn);
        let (scope, replaced) = (reload.scope, reload.replaced);
        let message = format!("{scope} finished: {} replaced", count(replaced, "worker"));
        turn.note(scope.note(Note::event(EntryKind::ReloadFinished, message)));
        turn.act(Action::Reloaded(Ok(replaced)));
    }

    fn fail_reload(&mut self, why: &str, turn: &mut Turn<'_>) {
        let Some(reload) = self.end_reload() else { return };
        let Reload { scope, proving, proven, replaced, rollback, .. } = *reload;
        for seat in proving.into_iter().chain(proven) {
            if let Some(id) = self.fleet.seat(seat).and_then(|seat| seat.successor) {
                self.dismiss_successor(id, "another new worker failed", turn);
            }
        }
        let after = match replaced {
            0 => String::new(),
            1 => " after 1 worker was replaced".to_owned(),
            n => format!(" after {n} workers were replaced"),
        };
        let next = match (self.shared.reload, replaced) {
            (ReloadMode::Swap, _) => {
                "the others stay in service, and the one whose old worker has left will be tried again"
            }
            (ReloadMode::Surge, 0) => "the old workers stay in service",
            (ReloadMode::Surge, _) => "the others stay in service",
        };
        let message = format!("{scope} abandoned{after}; {next}: {why}");
        turn.note(scope.note(Note::event(EntryKind::ReloadFailed, message.clone())));
        match replaced {
            0 => self.roll_back(rollback, turn),
            _ => self.keep_half(rollback, turn),
        }
        let apps: Vec<AppId> = self.fleet.apps().map(|(id, _)| id).collect();
        for app in apps {
            if let Some(app) = self.fleet.app_mut(app) {
                app.leaving = false;
            }
        }
        // A worker that crashed meanwhile was replaced by one with what was known then.
        for pool in self.pools_in(&scope) {
            self.fleet.allocate(pool);
            self.load_missing(pool, turn);
            self.fill_seats(pool, turn);
        }
        self.start_housekeeping(turn);
        turn.act(Action::Reloaded(Err(ReloadError::GivenUp(message))));
    }

    /// An app that is no longer configured where it was: who waits for it waits
    /// for the one that has its name now, or is told that there is none.
    pub(super) fn remove_app(&mut self, app: AppId, turn: &mut Turn<'_>) {
        if !self.fleet.remove_app(app) {
            return;
        }
        let path = self.fleet.app(app).path().to_owned();
        match self.fleet.named(&path) {
            Some(other) => self.dispatch.move_waiting(app, other, turn),
            None => {
                self.dispatch.refuse_waiting(app, &CallError::AppNotFound { app: path }, turn);
            }
        }
    }

    /// Takes a pool out: its workers leave, and its row with them.
    pub(super) fn remove_pool(&mut self, pool: PoolId, why: &str, turn: &mut Turn<'_>) {
        self.resize(pool, 0, why, turn);
        if let Some(pool) = self.fleet.pool_mut(pool) {
            pool.removed = true;
        }
    }

    /// The arbiter drains: what is not done by now is not done.
    pub(super) fn abandon_reload(&mut self, why: &str, turn: &mut Turn<'_>) {
        self.fail_reload(why, turn);
        for id in self.fleet.workers_that(|w| w.claim() == Some(Claim::Successor)) {
            self.dismiss_successor(id, why, turn);
        }
    }
}

impl Shared {
    /// These after a reload. Streams and messages pass the edge, which has the
    /// limits of its start: workers with others would be killed for chunks that
    /// they have credit for, or wait for credit that never comes.
    fn reloaded(&self, new: Self) -> Self {
        let (window, max_message_size) = (self.window, self.max_message_size);
        Self { window, max_message_size, ..new }
    }
}
