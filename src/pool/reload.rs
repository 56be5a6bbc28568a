//! Reload: a new configuration, and new workers with new code, one at a time.
//!
//! ```text
//!   surge:  successor starts -> is ready -> takes the seat -> the old one drains
//!   swap:   the old one drains -> exits -> the new one starts -> is ready
//! ```
//!
//! The first worker that does not become ready ends the reload: with nothing
//! replaced yet, the old configuration is put back.
//!
//! It concerns all pools, or one that is named: then the others, and the settings
//! that all share, stay as they run.

use std::{collections::VecDeque, fmt, sync::Arc};

use tokio::sync::oneshot;

use super::{
    error::ReloadError,
    ids::{AppId, WorkerId},
    journal::{About, EventKind},
    rollback::Rollback,
    seats::configured_share,
    tables::{Loaded, Role},
    task::{Pool, settings},
};
use crate::{
    config::{AppConfig, Config, PoolConfig, ReloadMode},
    pool::allocation::Share,
    worker::{Control, Death},
};

/// Which pools a reload concerns.
#[derive(Debug)]
pub enum Scope {
    /// All of them, and what holds for all.
    All,
    /// One; the others stay as they run.
    One(String),
}

impl Scope {
    /// That of a request, which names a pool or none.
    pub fn of(pool: String) -> Self {
        if pool.is_empty() { Self::All } else { Self::One(pool) }
    }

    /// Whether it has a pool of this name.
    pub fn has(&self, pool: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(name) => name == pool,
        }
    }

    fn about(&self) -> About<'_> {
        match self {
            Self::All => About::default(),
            Self::One(name) => About { pool: Some(name), ..About::default() },
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("reload"),
            Self::One(name) => write!(f, "reload of pool `{name}`"),
        }
    }
}

/// A reload in progress.
#[derive(Debug)]
pub struct Reload {
    scope: Scope,
    waiting: VecDeque<(usize, usize)>,
    current: Option<(usize, usize)>,
    replaced: u32,
    sizes: Vec<(usize, usize)>,
    leaving_groups: Vec<usize>,
    rollback: Rollback,
    reply: oneshot::Sender<Result<u32, ReloadError>>,
}

impl Pool {
    pub(super) fn begin_reload(
        &mut self,
        config: &Config,
        scope: Scope,
        reply: oneshot::Sender<Result<u32, ReloadError>>,
    ) {
        if let Err(why) = self.may_reload(config, &scope) {
            return drop(reply.send(Err(why)));
        }
        let rollback = self.rollback(&scope);
        let known = self.groups.len();
        let (sizes, leaving_groups) = self.apply(config, &scope);
        let occupied = |group: usize| {
            let seats = self.groups[group].seats.iter().enumerate();
            seats.filter(|(_, seat)| seat.occupant.is_some()).map(move |(seat, _)| (group, seat))
        };
        let waiting: VecDeque<_> = (self.groups_in(&scope))
            .filter(|group| *group < known && !leaving_groups.contains(group))
            .flat_map(occupied)
            .collect();
        let message = format!("{scope}: replacing {} workers one by one", waiting.len());
        self.journal.note(EventKind::ReloadStarted, scope.about(), message);
        let (current, replaced) = (None, 0);
        self.reload = Some(Reload {
            scope,
            waiting,
            current,
            replaced,
            sizes,
            leaving_groups,
            rollback,
            reply,
        });
        for group in known..self.groups.len() {
            self.fill_seats(group);
        }
        self.advance_reload();
    }

    /// Whether a reload can begin; nothing has changed if not.
    fn may_reload(&self, config: &Config, scope: &Scope) -> Result<(), ReloadError> {
        if self.drain.is_some() {
            return Err(ReloadError::Draining);
        }
        if self.reload.is_some() {
            return Err(ReloadError::Busy);
        }
        let Scope::One(pool) = scope else { return Ok(()) };
        let at_work = self.groups.iter().filter(|group| !group.removed);
        let mut known: Vec<String> = at_work.map(|group| group.config.name.clone()).collect();
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
                let Some(old) = self.app_ids.get(&app.path).map(|id| self.apps[id.0].group) else {
                    continue;
                };
                let (from, to) = (&self.groups[old].config.name, &new.name);
                if from != to && (scope.has(from) || scope.has(to)) {
                    let (app, from, to) = (app.path.clone(), from.clone(), to.clone());
                    return Err(ReloadError::Moves { app, from, to });
                }
            }
        }
        Ok(())
    }

    /// The pools at work that a reload concerns.
    fn groups_in(&self, scope: &Scope) -> impl Iterator<Item = usize> {
        let alive = self.groups.iter().enumerate().filter(|(_, group)| !group.removed);
        alive.filter(|(_, group)| scope.has(&group.config.name)).map(|(index, _)| index)
    }

    /// Puts a configuration into the tables. Gives the new sizes of pools that
    /// change theirs, and the pools that are no longer configured.
    fn apply(&mut self, config: &Config, scope: &Scope) -> (Vec<(usize, usize)>, Vec<usize>) {
        if let Scope::All = scope {
            self.settings = self.settings.reloaded(settings(config));
        }
        let mut sizes = Vec::new();
        let mut kept = Vec::new();
        for new in config.pools.iter().filter(|pool| scope.has(&pool.name)) {
            let alive =
                |group: &super::tables::Group| !group.removed && group.config.name == new.name;
            let Some(group) = self.groups.iter().position(alive) else {
                kept.push(self.add_group(new));
                continue;
            };
            kept.push(group);
            if self.groups[group].config.workers != new.workers {
                sizes.push((group, new.workers as usize));
            }
            self.groups[group].config = Arc::new(new.clone());
            for app in &new.apps {
                self.apply_app(group, app);
            }
        }
        let leaving: Vec<usize> =
            self.groups_in(scope).filter(|group| !kept.contains(group)).collect();
        for app in &mut self.apps {
            let pool = &self.groups[app.group].config.name;
            let configured = |new: &PoolConfig| {
                new.name == *pool && new.apps.iter().any(|new| new.path == app.config.path)
            };
            app.leaving = scope.has(pool) && !config.pools.iter().any(configured);
        }
        for group in kept {
            self.allocate_group(group);
        }
        (sizes, leaving)
    }

    fn apply_app(&mut self, group: usize, new: &AppConfig) {
        let known = self.app_ids.get(&new.path).copied();
        let Some(app) = known.filter(|app| {
            let row = &self.apps[app.0];
            row.group == group && !row.removed
        }) else {
            self.add_app(group, new);
            return;
        };
        self.scheduler.set_app(app, new.queue);
        let row = &mut self.apps[app.0];
        row.config = new.clone();
        // The class may say something else by now: the first new worker tells.
        row.share = configured_share(new);
    }

    /// Goes on with the next worker, or ends the reload.
    fn advance_reload(&mut self) {
        let Some(reload) = &mut self.reload else { return };
        reload.current = reload.waiting.pop_front();
        let Some(place) = reload.current else { return self.finish_reload() };
        let (group, seat) = place;
        let old = self.groups[group].seats.get_mut(seat).and_then(|row| {
            // A recycling was under way here; the reload replaces the worker anyway.
            if let Some(worker) = row.successor.take().and_then(|id| self.workers.get_mut(&id)) {
                worker.role = Role::Leaving;
                worker.handle.tell(Control::Kill("a reload replaces it".to_owned()));
            }
            row.occupant
        });
        match (old, self.settings.reload) {
            // The seat is gone or empty: nothing to replace.
            (None, _) => self.advance_reload(),
            (Some(_), ReloadMode::Surge) => self.start_successor(group, seat),
            (Some(old), ReloadMode::Swap) => self.send_away(old, "reload, old one first"),
        }
    }

    /// Goes on if the seat that the reload is at has left: its pool was scaled down.
    pub(super) fn skip_lost_seat(&mut self) {
        let current = self.reload.as_ref().and_then(|reload| reload.current);
        let is_lost = |(group, seat): (usize, usize)| seat >= self.groups[group].seats.len();
        if current.is_some_and(is_lost) {
            self.advance_reload();
        }
    }

    fn start_successor(&mut self, group: usize, seat: usize) {
        let mut apps = self.groups[group].seats[seat].apps.clone();
        // What nobody has imported yet is this worker's to find out.
        let unknown = self.shares(group).into_iter().filter(|(_, share)| *share == Share::Unknown);
        apps.extend(unknown.map(|(app, _)| app));
        apps.sort();
        apps.dedup();
        let config = Arc::clone(&self.groups[group].config);
        match self.spawn(&config, (group, seat), Role::Successor, &apps) {
            Ok(id) => self.groups[group].seats[seat].successor = Some(id),
            Err(error) => self.fail_reload(&error.to_string()),
        }
    }

    /// A successor, of a reload or of a recycling, has loaded its apps. It is
    /// good if it can serve all that its predecessor can, and all that is new.
    pub(super) fn on_successor_booted(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        let (group, seat) = worker.place;
        let old = self.groups[group].seats.get(seat).and_then(|seat| seat.occupant);
        let failed_before = |app: &AppId| {
            let old = old.and_then(|old| self.workers.get(&old));
            old.is_some_and(|old| matches!(old.apps.get(app), Some(Loaded::Failed { .. })))
        };
        let broken = self.broken_app(id, failed_before);
        if let Some(why) = broken {
            if let (Some(old), false) = (old, self.is_replacing(group, seat)) {
                self.keep_recycled(old, &why);
            }
            self.dismiss_successor(id, "it failed to load what it is to serve");
            return self.reload_step(group, seat, Err(why));
        }
        self.take_seat(id);
        if let Some(old) = old {
            self.send_away(old, "its successor is ready");
        }
        self.reload_step(group, seat, Ok(()));
    }

    /// Why a booted worker is no success: an app that it failed to load.
    pub(super) fn broken_app(
        &self,
        id: WorkerId,
        is_excused: impl Fn(&AppId) -> bool,
    ) -> Option<String> {
        let worker = self.workers.get(&id)?;
        let failed = |(_, loaded): &(&AppId, &Loaded)| matches!(loaded, Loaded::Failed { .. });
        let (app, _) = worker.apps.iter().filter(failed).find(|(app, _)| !is_excused(app))?;
        let row = &self.apps[app.0];
        let why = row.last_error.as_deref().unwrap_or("see the log");
        Some(format!("app `{}` failed to load in the new worker: {why}", row.config.path))
    }

    pub(super) fn successor_died(&mut self, group: usize, seat: usize, death: &Death) {
        if let Some(seat) = self.groups[group].seats.get_mut(seat) {
            seat.successor = None;
        }
        let loading = death
            .loading
            .as_ref()
            .map_or(String::new(), |app| format!(" while it loaded app `{app}`"));
        self.reload_step(group, seat, Err(format!("the new worker {}{loading}", death.ended)));
    }

    /// The worker of a seat booted, or failed to; a swap waits for that. While
    /// a successor boots, it was the old worker, late: that replaces nothing.
    pub(super) fn on_seat_taken(&mut self, place: (usize, usize), result: Result<(), String>) {
        let seat = self.groups[place.0].seats.get(place.1);
        if seat.is_none_or(|seat| seat.successor.is_none()) {
            self.reload_step(place.0, place.1, result);
        }
    }

    /// A worker has left for good; a swap now starts the new one.
    pub(super) fn on_left(&mut self, id: WorkerId, group: usize, seat: usize) {
        let Some(row) = self.groups[group].seats.get_mut(seat) else { return };
        if row.occupant == Some(id) && self.drain.is_none() {
            row.occupant = None;
            self.start_occupant(group, seat);
        }
    }

    /// Whether a reload is replacing the worker of this seat just now, or is going to.
    pub(super) fn is_replacing(&self, group: usize, seat: usize) -> bool {
        let place = (group, seat);
        (self.reload.as_ref())
            .is_some_and(|reload| reload.current == Some(place) || reload.waiting.contains(&place))
    }

    /// Without a reload, nobody waits for what only that would have brought.
    fn settle_all(&mut self) {
        for app in (0..self.apps.len()).map(AppId) {
            self.settle(app);
        }
    }

    fn reload_step(&mut self, group: usize, seat: usize, result: Result<(), String>) {
        let Some(reload) = &mut self.reload else { return };
        if reload.current != Some((group, seat)) {
            return;
        }
        match result {
            Ok(()) => {
                reload.replaced += 1;
                self.advance_reload();
            }
            Err(why) => self.fail_reload(&why),
        }
    }

    fn dismiss_successor(&mut self, id: WorkerId, why: &str) {
        let Some(worker) = self.workers.get(&id) else { return };
        let (group, seat) = worker.place;
        if let Some(seat) = self.groups[group].seats.get_mut(seat) {
            seat.successor = None;
        }
        self.send_away(id, why);
        self.forget_cured_errors();
    }

    /// An app that is served, and failed only in workers that leave, has no error.
    fn forget_cured_errors(&mut self) {
        for (id, app) in self.apps.iter_mut().enumerate().filter(|(_, app)| app.ready > 0) {
            let fails =
                self.workers.values().filter(|worker| worker.role != Role::Leaving).any(|worker| {
                    matches!(worker.apps.get(&AppId(id)), Some(Loaded::Failed { .. }))
                });
            if !fails {
                app.last_error = None;
            }
        }
    }

    fn finish_reload(&mut self) {
        let Some(reload) = self.reload.take() else { return };
        for app in (0..self.apps.len()).map(AppId) {
            if self.apps[app.0].leaving {
                self.remove_app(app);
            }
        }
        for group in reload.leaving_groups {
            self.resize(group, 0, "its pool is no longer configured");
            self.groups[group].removed = true;
        }
        for (group, seats) in reload.sizes {
            self.resize(group, seats, "its pool is smaller now");
        }
        let groups: Vec<usize> = self.groups_in(&reload.scope).collect();
        for group in groups {
            // Seats that wait after failures are tried at once: something changed.
            for seat in self.groups[group].seats.iter_mut().filter(|s| s.occupant.is_none()) {
                (seat.restart_at, seat.paused) = (None, false);
                seat.backoff.succeeded();
                seat.deadly.clear();
            }
            self.allocate_group(group);
            self.load_missing(group);
            self.fill_seats(group);
        }
        self.settle_all();
        self.reloads += 1;
        self.start_housekeeping();
        let message = format!("{} finished: {} workers replaced", reload.scope, reload.replaced);
        self.journal.note(EventKind::ReloadFinished, reload.scope.about(), message);
        self.publish_health();
        drop(reload.reply.send(Ok(reload.replaced)));
    }

    /// An app that is no longer configured: who waits for it is told.
    pub(super) fn remove_app(&mut self, app: AppId) {
        self.apps[app.0].leaving = false;
        if std::mem::replace(&mut self.apps[app.0].removed, true) {
            return;
        }
        let path = self.apps[app.0].config.path.clone();
        let error = crate::call::CallError::AppNotFound { app: path.clone() };
        self.refuse_waiting(app, &error);
        if self.app_ids.get(&path) == Some(&app) {
            self.app_ids.remove(&path);
        }
    }

    fn fail_reload(&mut self, why: &str) {
        let Some(reload) = self.reload.take() else { return };
        let scope = reload.scope;
        let after = match reload.replaced {
            0 => String::new(),
            n => format!(" after {n} workers were replaced"),
        };
        let next = match (self.settings.reload, reload.replaced) {
            (ReloadMode::Swap, _) => {
                "the others stay, the one whose old worker has left is tried again"
            }
            (ReloadMode::Surge, 0) => "the old workers stay",
            (ReloadMode::Surge, _) => "the others stay",
        };
        let message = format!("{scope} given up{after}, {next}: {why}");
        self.journal.note(EventKind::ReloadFailed, scope.about(), message.clone());
        match reload.replaced {
            0 => self.roll_back(reload.rollback),
            _ => self.keep_shares(&reload.rollback),
        }
        // A worker that crashed meanwhile was replaced by one with what was known then.
        let groups: Vec<usize> = self.groups_in(&scope).collect();
        for group in groups {
            self.allocate_group(group);
            self.load_missing(group);
        }
        for app in &mut self.apps {
            app.leaving = false;
        }
        self.settle_all();
        drop(reload.reply.send(Err(ReloadError::GivenUp(message))));
    }

    pub(super) fn abandon_reload(&mut self, why: &str) {
        if self.reload.is_some() {
            self.fail_reload(why);
        }
        let successors: Vec<WorkerId> = (self.workers.iter())
            .filter(|(_, w)| w.role == Role::Successor)
            .map(|w| *w.0)
            .collect();
        for id in successors {
            self.dismiss_successor(id, why);
        }
    }
}
