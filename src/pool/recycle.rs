//! Replacing workers that work: after so many calls, so long, or so much
//! memory. The replacement is ready first, the old one drains after.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    ids::WorkerId,
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
                let rule = self.groups[worker.place.0].config.recycle;
                Some((*id, recycle_reason(worker, rule, now)?))
            })
            .collect();
        for (id, why) in due {
            self.recycle(id, &why);
        }
        self.start_housekeeping();
    }

    /// After each call, because only that changes the count.
    pub(super) fn recycle_after_call(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        if worker.max_requests.is_some_and(|most| worker.served >= most) && worker.is_serving() {
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
    config.recycle.max_lifetime.is_some() || config.recycle.max_memory.is_some()
}

fn recycle_reason(worker: &Worker, rule: Recycle, now: Instant) -> Option<String> {
    let age = now.duration_since(worker.started);
    if rule.max_lifetime.is_some_and(|most| age >= most) {
        return Some(format!("it is {age:.0?} old (max_lifetime)"));
    }
    let most = rule.max_memory?;
    let memory = resident_bytes(worker.handle.worker.pid)?;
    (memory > most).then(|| {
        let size = bytesize::ByteSize::b(memory);
        format!("it uses {size} of memory (max_memory)")
    })
}
