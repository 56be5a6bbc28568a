//! Which call goes to which worker. Pure: no task, no clock, no process; calls
//! are of any type, so that property tests drive it with numbers.
//!
//! Invariants (checked against a plain model in the tests):
//! - no call waits while a worker that has its app has a free slot;
//! - the worker with the fewest running calls is taken, and among equals the
//!   one that was given a call longest ago;
//! - a slot that frees goes to the app whose oldest call has waited longest, of
//!   those that its worker can serve, and there to the call whose turn it is:
//!   first in, first out for each principal, fair by weight between principals.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use super::{
    super::ids::{AppId, WorkerId},
    queue::{AppQueue, Full},
    running::Running,
};
use crate::{
    call::{CallId, Principal, Quota},
    clock::Deadline,
    config::QueueLimits,
};

pub use super::queue::Wait;

/// What became of a submitted call.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// It goes to this worker, now.
    Assigned(WorkerId, T),
    /// It waits, in the place of calls that had to leave.
    Queued(Vec<Taken<T>>),
    /// The queue is full, by this limit; the call is given back.
    Full(Full, T),
}

/// A call that leaves its queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken<T> {
    /// Its app.
    pub app: AppId,
    /// Its id.
    pub id: CallId,
    /// The call.
    pub item: T,
}

#[derive(Debug)]
struct Slots {
    threads: u32,
    load: u32,
    /// When it was last given a call, in turns.
    last_turn: u64,
    apps: BTreeSet<AppId>,
    accepting: bool,
}

/// Queues, slots, and the rule that joins them.
#[derive(Debug)]
pub struct Scheduler<T> {
    queues: BTreeMap<AppId, AppQueue<T>>,
    /// The oldest call of every queue that is not empty.
    heads: BTreeSet<(CallId, AppId)>,
    deadlines: BTreeSet<(Deadline, CallId, AppId)>,
    workers: BTreeMap<WorkerId, Slots>,
    /// Workers that take calls and have a free slot, best choice first.
    free: BTreeSet<(u32, u64, WorkerId)>,
    /// How many workers take calls of each app.
    servers: BTreeMap<AppId, u32>,
    running: Running,
    turn: u64,
}

impl<T> Default for Scheduler<T> {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            heads: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            workers: BTreeMap::new(),
            free: BTreeSet::new(),
            servers: BTreeMap::new(),
            running: Running::default(),
            turn: 0,
        }
    }
}

impl<T> Scheduler<T> {
    /// Adds an app, or changes the limits of its queue.
    pub fn set_app(&mut self, app: AppId, limits: QueueLimits) {
        self.queues
            .entry(app)
            .and_modify(|queue| queue.set_limits(limits))
            .or_insert_with(|| AppQueue::new(limits));
    }

    /// The queue of an app.
    pub fn queue(&self, app: AppId) -> Option<&AppQueue<T>> {
        self.queues.get(&app)
    }

    /// How many calls wait, of all apps.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.deadlines.len()
    }

    /// Adds a worker with `threads` slots; it has no app yet.
    pub fn add_worker(&mut self, worker: WorkerId, threads: u32) {
        let slots =
            Slots { threads, load: 0, last_turn: 0, apps: BTreeSet::new(), accepting: true };
        self.workers.insert(worker, slots);
        self.update_free(worker, |_| ());
    }

    /// Lets a worker serve an app from now on.
    pub fn grant(&mut self, worker: WorkerId, app: AppId) {
        if let Some(slots) = self.workers.get_mut(&worker)
            && slots.apps.insert(app)
            && slots.accepting
        {
            *self.servers.entry(app).or_default() += 1;
        }
    }

    /// Gives a worker no further calls.
    pub fn retire(&mut self, worker: WorkerId) {
        let Some(slots) = self.workers.get(&worker).filter(|slots| slots.accepting) else { return };
        for app in &slots.apps {
            if let Some(servers) = self.servers.get_mut(app) {
                *servers -= 1;
            }
        }
        self.update_free(worker, |slots| slots.accepting = false);
    }

    /// The number of workers that take calls of an app.
    pub fn servers(&self, app: AppId) -> u32 {
        self.servers.get(&app).copied().unwrap_or(0)
    }

    /// Forgets an app and its queue, which is empty.
    pub fn remove_app(&mut self, app: AppId) {
        debug_assert!(self.queue(app).is_none_or(|queue| queue.len() == 0), "its calls are ended");
        self.queues.remove(&app);
        self.servers.remove(&app);
    }

    /// Takes a slot for a call of an app, in the worker that is the best choice,
    /// if one more of its principal may run.
    pub fn claim(&mut self, app: AppId, of: Principal, quota: Quota) -> Option<WorkerId> {
        if !self.running.may_begin(of, quota) {
            return None;
        }
        let worker = self.choose(app)?;
        self.give(worker);
        Some(worker)
    }

    /// Whether one more call of a principal may run.
    pub fn may_begin(&self, of: Principal, quota: Quota) -> bool {
        self.running.may_begin(of, quota)
    }

    /// A call begins to run in the slot that was taken for it. Returns whom to name
    /// at its [`end`](Self::end), if the calls of its principal are counted.
    pub fn begin(&mut self, of: Principal, quota: Quota) -> Option<Principal> {
        self.running.begin(of, quota)
    }

    /// A call that was counted runs no more: others of its principal may have their
    /// turn, in [`apps_of`](Self::apps_of).
    pub fn end(&mut self, of: Principal) {
        self.running.end(of);
    }

    /// The apps for which calls of a principal wait.
    pub fn apps_of(&self, principal: Principal) -> Vec<AppId> {
        let waits = |queue: &AppQueue<T>| queue.waiting_of(principal) > 0;
        self.queues.iter().filter(|(_, queue)| waits(queue)).map(|(app, _)| *app).collect()
    }

    /// The number of calls of a principal that wait.
    fn waiting_of(&self, principal: Principal) -> usize {
        self.queues.values().map(|queue| queue.waiting_of(principal)).sum()
    }

    /// Forgets a worker.
    pub fn remove_worker(&mut self, worker: WorkerId) {
        self.retire(worker);
        self.workers.remove(&worker);
    }

    /// How many slots of a worker are taken.
    pub fn load(&self, worker: WorkerId) -> u32 {
        self.workers.get(&worker).map_or(0, |slots| slots.load)
    }

    /// Takes a slot for something other than a call; false if none is free.
    pub fn occupy(&mut self, worker: WorkerId) -> bool {
        let has_room = self.workers.get(&worker).is_some_and(|slots| slots.load < slots.threads);
        if has_room {
            self.update_free(worker, |slots| slots.load += 1);
        }
        has_room
    }

    /// A slot of the worker is free again; ask [`next_for`](Self::next_for).
    pub fn release(&mut self, worker: WorkerId) {
        self.update_free(worker, |slots| slots.load = slots.load.saturating_sub(1));
    }

    /// A call arrives.
    pub fn submit(&mut self, app: AppId, wait: Wait, item: T) -> Verdict<T> {
        if let Some(worker) = self.claim(app, wait.principal, wait.quota) {
            return Verdict::Assigned(worker, item);
        }
        if let Some(most) = wait.quota.max_queue
            && self.waiting_of(wait.principal) >= most as usize
        {
            return Verdict::Full(Full::OfPrincipal(most), item);
        }
        let mut displaced = Vec::new();
        loop {
            let Some(queue) = self.queues.get(&app) else {
                return Verdict::Full(Full::Calls, item);
            };
            let Err(full) = queue.room_for(&wait) else { break };
            let leaves = queue.displaced_by(&wait, full);
            match leaves.and_then(|id| self.take(app, id)) {
                Some(taken) => displaced.push(taken),
                None => return Verdict::Full(full, item),
            }
        }
        self.put(app, wait, item, AppQueue::put);
        Verdict::Queued(displaced)
    }

    /// A call that had left its queue comes back to its old place, whatever the
    /// limits; ask [`next_for_app`](Self::next_for_app).
    pub fn put_back(&mut self, app: AppId, wait: Wait, item: T) {
        self.put(app, wait, item, AppQueue::put_back);
    }

    /// A call comes from the queue of another app, whatever the limits.
    pub fn move_in(&mut self, app: AppId, wait: Wait, item: T) {
        self.put(app, wait, item, AppQueue::put);
    }

    /// The call whose turn it is, of those that the worker can serve, if it has a
    /// free slot.
    pub fn next_for(&mut self, worker: WorkerId) -> Option<Taken<T>> {
        let slots = self.workers.get(&worker)?;
        if !slots.accepting || slots.load >= slots.threads {
            return None;
        }
        let mut apps =
            self.heads.iter().map(|(_, app)| *app).filter(|app| slots.apps.contains(app));
        let (app, id) = apps.find_map(|app| Some((app, self.next_of(app)?)))?;
        self.give(worker);
        self.take_out(app, id, true)
    }

    /// The call of an app whose turn it is, and a worker that can serve it now.
    pub fn next_for_app(&mut self, app: AppId) -> Option<(WorkerId, Taken<T>)> {
        let id = self.next_of(app)?;
        let worker = self.choose(app)?;
        self.give(worker);
        Some((worker, self.take_out(app, id, true)?))
    }

    /// Takes a call out of its queue, for which it is not its turn.
    pub fn take(&mut self, app: AppId, id: CallId) -> Option<Taken<T>> {
        self.take_out(app, id, false)
    }

    /// Takes every call of an app out of its queue, oldest first.
    pub fn take_all(&mut self, app: AppId) -> Vec<Taken<T>> {
        let oldest = |this: &Self| this.queues.get(&app)?.oldest().map(|(id, _)| id);
        let mut taken = Vec::new();
        while let Some(id) = oldest(self) {
            taken.extend(self.take(app, id));
        }
        taken
    }

    /// Takes one call out whose deadline has passed.
    pub fn expire(&mut self, now: Instant) -> Option<Taken<T>> {
        let (_, id, app) =
            *self.deadlines.first().filter(|(deadline, _, _)| deadline.is_over(now))?;
        self.take(app, id)
    }

    /// When [`expire`](Self::expire) has something next.
    pub fn next_deadline(&self) -> Deadline {
        self.deadlines.first().map_or(Deadline::Never, |(deadline, _, _)| *deadline)
    }

    fn put(&mut self, app: AppId, wait: Wait, item: T, put: fn(&mut AppQueue<T>, Wait, T)) {
        let nothing = QueueLimits { calls: 0, bytes: None };
        let queue = self.queues.entry(app).or_insert_with(|| AppQueue::new(nothing));
        if let Some((old, _)) = queue.oldest() {
            self.heads.remove(&(old, app));
        }
        put(queue, wait, item);
        if let Some((new, _)) = queue.oldest() {
            self.heads.insert((new, app));
        }
        self.deadlines.insert((wait.deadline, wait.id, app));
    }

    fn next_of(&self, app: AppId) -> Option<CallId> {
        self.queues.get(&app)?.next(&self.running)
    }

    fn take_out(&mut self, app: AppId, id: CallId, served: bool) -> Option<Taken<T>> {
        let queue = self.queues.get_mut(&app)?;
        let oldest = queue.oldest().map(|(id, _)| id);
        let (deadline, item) = queue.take(id, served)?;
        self.deadlines.remove(&(deadline, id, app));
        if oldest == Some(id) {
            self.heads.remove(&(id, app));
            if let Some((next, _)) = queue.oldest() {
                self.heads.insert((next, app));
            }
        }
        Some(Taken { app, id, item })
    }

    fn choose(&self, app: AppId) -> Option<WorkerId> {
        let has_app = |worker: &WorkerId| self.workers[worker].apps.contains(&app);
        self.free.iter().map(|(_, _, worker)| *worker).find(has_app)
    }

    fn give(&mut self, worker: WorkerId) {
        self.turn += 1;
        let turn = self.turn;
        self.update_free(worker, |slots| {
            slots.load += 1;
            slots.last_turn = turn;
        });
    }

    /// Changes a worker's row and keeps `free` in step with it.
    fn update_free(&mut self, worker: WorkerId, change: impl FnOnce(&mut Slots)) {
        let Some(slots) = self.workers.get_mut(&worker) else { return };
        self.free.remove(&(slots.load, slots.last_turn, worker));
        change(slots);
        if slots.accepting && slots.load < slots.threads {
            self.free.insert((slots.load, slots.last_turn, worker));
        }
    }
}
