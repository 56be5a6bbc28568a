//! Replacing workers that work: after so many calls, so long, or so much
//! memory. The replacement is ready first, the old one drains after.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    ids::{AppId, WorkerId},
    tables::{Role, Worker},
    task::Pool,
};
use crate::{
    config::{PoolConfig, Recycle},
    process::memory::resident_bytes,
};

/// How often lifetimes and memory are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait after a replacement failed.
const RETRY: Duration = Duration::from_secs(10);

/// After how many calls a new worker is replaced.
pub(super) fn draw_max_requests(rule: &Recycle) -> Option<u64> {
    rule.max_requests.map(|least| least + fastrand::u64(0..=rule.max_requests_jitter))
}

impl Pool {
    /// Starts looking at lifetimes and memory, if some pool has a rule.
    pub(super) fn start_housekeeping(&mut self) {
        if self.groups.iter().any(|group| has_rule(&group.config)) {
            self.arm(Instant::now() + LOOK);
        }
    }

    pub(super) fn housekeep(&mut self, now: Instant) {
        let due: Vec<(WorkerId, String)> = (self.workers.iter())
            .filter(|(_, worker)| worker.is_serving())
            .filter_map(|(id, worker)| {
                let why = |(rule, of): (Recycle, String)| {
                    too_old(worker, rule, &of, now)
                        .or_else(|| too_large(worker, rule, &of).filter(|_| !worker.oversize))
                };
                Some((*id, self.rules_of(worker).find_map(why)?))
            })
            .collect();
        for (id, why) in due {
            self.recycle(id, &why);
        }
        self.start_housekeeping();
    }

    /// The rules that a worker has from its pool and from its apps, with whose
    /// they are.
    fn rules_of(&self, worker: &Worker) -> impl Iterator<Item = (Recycle, String)> {
        let pool = self.groups[worker.place.0].config.recycle;
        let apps = worker.apps.keys().map(|app| &self.apps[app.0].config);
        let apps = apps.map(|app| (app.recycle, format!(" of app `{}`", app.path)));
        std::iter::once((pool, String::new())).chain(apps)
    }

    /// A worker is ready: if it is too large already, to replace it would not
    /// help, and would not end.
    pub(super) fn look_at_memory(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        let Some(why) = self.rules_of(worker).find_map(|(rule, of)| too_large(worker, rule, &of))
        else {
            return;
        };
        let process = worker.handle.worker;
        tracing::warn!(
            worker = id,
            pid = process.pid,
            "{process} has just started, and {why}: it is not replaced for that; raise the limit"
        );
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.oversize = true;
        }
    }

    /// After each call, because only that changes the count.
    pub(super) fn recycle_after_call(&mut self, id: WorkerId, app: Option<AppId>) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let is_serving = worker.is_serving();
        let own = app.map(|app| (app, &self.apps[app.0].config));
        if let Some((app, config)) = own
            && let Some(drawn) = draw_max_requests(&config.recycle)
        {
            let (served, most) = worker.app_requests.entry(app).or_insert((0, drawn));
            *served += 1;
            if is_serving && *served >= *most {
                let path = &config.path;
                let why = format!("it has served {served} calls of app `{path}` (max_requests)");
                return self.recycle(id, &why);
            }
        }
        if is_serving && worker.max_requests.is_some_and(|most| worker.served >= most) {
            let why = format!("it has served {} calls (max_requests)", worker.served);
            self.recycle(id, &why);
        }
    }

    fn recycle(&mut self, id: WorkerId, why: &str) {
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let (group, seat) = worker.place;
        let Some(row) = self.groups[group].seats.get(seat) else { return };
        if row.successor.is_some() || worker.recycle_after > now || self.drain.is_some() {
            return;
        }
        worker.recycle_after = now + RETRY;
        tracing::info!(
            worker = id,
            pid = worker.handle.worker.pid,
            "{} is replaced: {why}",
            worker.handle.worker
        );
        let (config, apps) = (Arc::clone(&self.groups[group].config), row.apps.clone());
        match self.spawn(&config, (group, seat), Role::Successor, &apps) {
            Ok(successor) => self.groups[group].seats[seat].successor = Some(successor),
            Err(error) => {
                tracing::warn!(worker = id, "its replacement cannot start: {error}; it stays")
            }
        }
    }

    /// The replacement of a worker is no good.
    pub(super) fn keep_recycled(&self, id: WorkerId, why: &str) {
        let Some(worker) = self.workers.get(&id) else { return };
        tracing::warn!(
            worker = id,
            pid = worker.handle.worker.pid,
            "{} is not replaced and serves on, the next try is in {RETRY:?} at the earliest: {why}",
            worker.handle.worker
        );
    }
}

fn has_rule(config: &PoolConfig) -> bool {
    let mut rules = config.apps.iter().map(|app| &app.recycle).chain([&config.recycle]);
    rules.any(|rule| rule.max_lifetime.is_some() || rule.max_memory.is_some())
}

fn too_old(worker: &Worker, rule: Recycle, of: &str, now: Instant) -> Option<String> {
    let age = now.duration_since(worker.started);
    let old = rule.max_lifetime.is_some_and(|most| age >= most);
    old.then(|| format!("it is {age:.0?} old (max_lifetime{of})"))
}

fn too_large(worker: &Worker, rule: Recycle, of: &str) -> Option<String> {
    let most = rule.max_memory?;
    let memory = resident_bytes(worker.handle.worker.pid)?;
    (memory > most).then(|| {
        let size = bytesize::ByteSize::b(memory);
        format!("it uses {size} of memory (max_memory{of})")
    })
}
