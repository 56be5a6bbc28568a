//! Calls: from their arrival into a queue or a worker, and out of the tables
//! again. It owns the queues, the slots and the rule that joins them, and knows
//! apps and workers by their numbers only.
//!
//! ```text
//!   admit ──> a slot ──> finished, lost                the one point at which
//!     └─────> a queue ──> a slot, late, left, refused  every end is observed
//!                ^─── not started, given back
//! ```

mod queue;
mod running;
pub(crate) mod scheduler;
mod turns;

#[cfg(test)]
mod scheduler_tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use queue::Wait;
pub use queue::{AppQueue, Full};
use scheduler::{Scheduler, Taken, Verdict};

use super::{
    ids::{AppId, WorkerId},
    turn::Turn,
};
use crate::{
    call::{Call, CallError, CallId, Cancelled, Credit, Principal, Quota, Reply},
    config::QueueLimits,
    worker::{Control, End},
};

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the queue of its app.
    Queue(AppId),
    /// In a slot of a worker.
    Slot {
        app: AppId,
        worker: WorkerId,
        arrived: Instant,
        /// Why nobody is to start it again, if that is so.
        over: Option<Over>,
        /// Who has one call more running while it is here, if that is counted.
        counted: Option<Principal>,
    },
}

/// Why a call that runs is not to be started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Its caller has left.
    Left,
    /// Its caller has its answer.
    Answered,
    /// An operator has cancelled it.
    Cancelled,
}

/// What became of the calls of an app.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Calls that ended with a result.
    pub served: u64,
    /// Calls that ended with an error.
    pub failed: u64,
    /// Calls that occupy a slot.
    pub running: u32,
}

/// The end of a call, with its times: what is observed of every one of them.
#[derive(Debug, Clone, Copy)]
struct Ended {
    served: bool,
    arrived: Instant,
    /// When it was given to a worker, and when its first chunk came.
    started: Option<Instant>,
    first_chunk: Option<Instant>,
    ended: Instant,
}

/// The calls of all apps.
#[derive(Debug, Default)]
pub struct Dispatch {
    scheduler: Scheduler<Call>,
    places: BTreeMap<CallId, Place>,
    tallies: BTreeMap<AppId, Tally>,
    /// The newest call that has come.
    newest: Option<CallId>,
    /// Callers that left before their call came.
    left_early: BTreeSet<CallId>,
    /// Peers with a limit that have one call less running.
    freed: Vec<Principal>,
}

impl Dispatch {
    // ---- apps and workers

    /// Adds an app, or changes the limits of its queue.
    pub fn set_app(&mut self, app: AppId, limits: QueueLimits) {
        self.scheduler.set_app(app, limits);
        self.tallies.entry(app).or_default();
    }

    /// Forgets an app for which no call waits.
    pub fn remove_app(&mut self, app: AppId) {
        self.scheduler.remove_app(app);
        self.tallies.remove(&app);
    }

    /// Adds a worker with a number of slots; it serves no app yet.
    pub fn add_worker(&mut self, worker: WorkerId, threads: u32) {
        self.scheduler.add_worker(worker, threads);
    }

    /// Lets a worker serve an app from now on.
    pub fn grant(&mut self, worker: WorkerId, app: AppId) {
        self.scheduler.grant(worker, app);
    }

    /// Gives a worker no further calls.
    pub fn retire(&mut self, worker: WorkerId) {
        self.scheduler.retire(worker);
    }

    /// Forgets a worker.
    pub fn remove_worker(&mut self, worker: WorkerId) {
        self.scheduler.remove_worker(worker);
    }

    /// Takes a slot of a worker for something other than a call; false if none
    /// is free.
    #[must_use]
    pub fn occupy(&mut self, worker: WorkerId) -> bool {
        self.scheduler.occupy(worker)
    }

    /// Frees a slot that was occupied; [`feed`](Self::feed) the worker then.
    pub fn release(&mut self, worker: WorkerId) {
        self.scheduler.release(worker);
    }

    // ---- what others ask

    /// The number of workers that can serve an app now.
    pub fn servers(&self, app: AppId) -> u32 {
        self.scheduler.servers(app)
    }

    /// The number of slots of a worker that are taken.
    pub fn load(&self, worker: WorkerId) -> u32 {
        self.scheduler.load(worker)
    }

    /// The queue of an app.
    pub fn queue(&self, app: AppId) -> Option<&AppQueue<Call>> {
        self.scheduler.queue(app)
    }

    /// What became of the calls of an app.
    pub fn tally(&self, app: AppId) -> Tally {
        self.tallies.get(&app).copied().unwrap_or_default()
    }

    /// Whether calls of an app wait.
    pub fn has_waiting(&self, app: AppId) -> bool {
        self.queue(app).is_some_and(|queue| queue.len() > 0)
    }

    /// The number of calls that are queued or in a slot.
    pub fn calls(&self) -> usize {
        self.places.len()
    }

    /// The app that a call in a slot is for.
    pub fn app_of(&self, call: CallId) -> Option<AppId> {
        match self.places.get(&call)? {
            Place::Slot { app, .. } => Some(*app),
            Place::Queue(_) => None,
        }
    }

    /// The calls that wait for an app, oldest first.
    pub fn waiting(&self, app: AppId) -> impl Iterator<Item = &Call> {
        self.queue(app).into_iter().flat_map(AppQueue::calls)
    }

    /// How many calls in a worker nobody waits for.
    pub fn abandoned_in(&self, worker: WorkerId) -> u32 {
        let here = |place: &&Place| matches!(place, Place::Slot { worker: of, over: Some(_), .. } if *of == worker);
        self.places.values().filter(here).count() as u32
    }

    /// Whether one more call of a user may run.
    pub fn may_begin(&self, principal: Principal, quota: Quota) -> bool {
        self.scheduler.may_begin(principal, quota)
    }

    /// The calls in a worker that somebody waits for.
    pub fn awaited_in(&self, worker: WorkerId) -> Vec<CallId> {
        let here = |place: &Place| matches!(place, Place::Slot { worker: of, over: None, .. } if *of == worker);
        self.places.iter().filter(|(_, place)| here(place)).map(|(id, _)| *id).collect()
    }

    /// How many apps, calls and callers that left early it knows.
    #[cfg(any(test, feature = "internals"))]
    pub fn rows(&self) -> (usize, usize, usize) {
        (self.tallies.len(), self.places.len(), self.left_early.len())
    }

    // ---- a call comes

    /// Notes that a call has come; false if its caller has left before.
    #[must_use]
    pub fn comes(&mut self, id: CallId) -> bool {
        self.newest = Some(id);
        !self.left_early.remove(&id)
    }

    /// Gives a call to a worker that has a free slot; the call comes back if there
    /// is none.
    #[must_use]
    pub fn assign_now(&mut self, app: AppId, call: Call, turn: &mut Turn<'_>) -> Option<Call> {
        let (of, quota) = (call.request.peer.principal(), call.request.quota);
        let Some(worker) = self.scheduler.claim(app, of, quota) else { return Some(call) };
        self.assign(worker, app, call, turn);
        None
    }

    /// Lets a call wait, since no worker has a free slot. Returns the calls that
    /// are to be refused for want of room: this one, or others that had to leave
    /// for it.
    #[must_use]
    pub fn enqueue(&mut self, app: AppId, call: Call, turn: &mut Turn<'_>) -> Vec<(Full, Call)> {
        let wait = Wait::of(&call);
        match self.scheduler.submit(app, wait, call) {
            Verdict::Assigned(worker, call) => self.assign(worker, app, call, turn),
            Verdict::Full(full, call) => return vec![(full, call)],
            Verdict::Queued(displaced) => {
                self.places.insert(wait.id, Place::Queue(app));
                turn.arm(wait.deadline);
                let leave = displaced.into_iter().map(|Taken { id, item, .. }| {
                    self.places.remove(&id);
                    (Full::Displaced, item)
                });
                return leave.collect();
            }
        }
        Vec::new()
    }

    // ---- its caller speaks

    /// The caller of a call has left.
    pub fn on_left(&mut self, id: CallId, turn: &mut Turn<'_>) {
        match self.places.get_mut(&id) {
            Some(Place::Queue(app)) => {
                let app = *app;
                self.places.remove(&id);
                if let Some(Taken { item, .. }) = self.scheduler.take(app, id) {
                    self.refuse(app, item.reply, item.request.arrived, CallError::Cancelled, turn);
                }
            }
            Some(Place::Slot { worker, over, .. }) => {
                over.get_or_insert(Over::Left);
                turn.tell(*worker, Control::Cancel(id));
            }
            // Callers rank before calls: it may still be on its way.
            None if self.newest.is_none_or(|newest| id > newest) => {
                self.left_early.insert(id);
            }
            None => {} // it had its outcome already
        }
    }

    /// An operator ends a call: it is answered, and its worker asked to end the work.
    /// Returns where it was.
    pub fn on_cancelled(&mut self, id: CallId, turn: &mut Turn<'_>) -> Option<Cancelled> {
        match self.places.get_mut(&id)? {
            Place::Queue(app) => {
                let app = *app;
                self.places.remove(&id);
                let Taken { item, .. } = self.scheduler.take(app, id)?;
                let arrived = item.request.arrived;
                self.refuse(app, item.reply, arrived, CallError::CancelledByOperator, turn);
                Some(Cancelled::Waiting)
            }
            Place::Slot { worker, over, .. } => {
                turn.tell(*worker, Control::CancelByOperator(id));
                match over.replace(Over::Cancelled) {
                    None => Some(Cancelled::Running),
                    Some(_) => Some(Cancelled::Abandoned),
                }
            }
        }
    }

    /// The caller of a call has its answer, and the work goes on.
    pub fn on_abandoned(&mut self, id: CallId) {
        if let Some(Place::Slot { over, .. }) = self.places.get_mut(&id) {
            over.get_or_insert(Over::Answered);
        }
    }

    /// The reader of a stream took so much: its worker may go on.
    pub fn on_credit(&mut self, id: CallId, credit: Credit, turn: &mut Turn<'_>) {
        if let Some(Place::Slot { worker, .. }) = self.places.get(&id) {
            turn.tell(*worker, Control::Credit(id, credit));
        }
    }

    // ---- a slot frees

    /// A call has left its slot. Returns its app; [`feed`](Self::feed) the worker
    /// then.
    pub fn on_finished(&mut self, worker: WorkerId, end: End) -> Option<AppId> {
        let app = self.leave_slot(end);
        self.scheduler.release(worker);
        app
    }

    /// A call was lost with its worker.
    pub fn on_lost(&mut self, end: End) {
        self.leave_slot(end);
    }

    /// Gives a worker with a free slot what it can take.
    pub fn feed(&mut self, worker: WorkerId, turn: &mut Turn<'_>) {
        while let Some(Taken { app, item, .. }) = self.scheduler.next_for(worker) {
            self.assign_unless_late(worker, app, item, turn);
        }
    }

    /// Starts the waiting calls that may run now, because others of their principals
    /// have ended.
    pub fn feed_freed(&mut self, turn: &mut Turn<'_>) {
        while let Some(principal) = self.freed.pop() {
            for app in self.scheduler.apps_of(principal) {
                self.feed_app(app, turn);
            }
        }
    }

    /// Gives the calls of an app to workers with a free slot.
    pub fn feed_app(&mut self, app: AppId, turn: &mut Turn<'_>) {
        while let Some((worker, Taken { item, .. })) = self.scheduler.next_for_app(app) {
            self.assign_unless_late(worker, app, item, turn);
        }
    }

    // ---- a call did not start

    /// The task of a worker has ended before it was given a call: others should
    /// serve that.
    pub fn on_not_started(&mut self, worker: WorkerId, call: Call, turn: &mut Turn<'_>) {
        self.scheduler.retire(worker);
        let Some(app) = self.app_of(call.id) else { return };
        if self.give_back(call, Some(app), turn) {
            self.feed_app(app, turn);
        }
    }

    /// A call did not start in the worker that it was given to: it goes back to
    /// its old place in the queue of `app`, or ends if there is no such app any
    /// more. Returns whether it waits again.
    pub fn give_back(&mut self, call: Call, app: Option<AppId>, turn: &mut Turn<'_>) -> bool {
        let (id, arrived) = (call.id, call.request.arrived);
        let Some(Place::Slot { app: old, over, counted, .. }) = self.places.remove(&id) else {
            return false;
        };
        self.uncount(counted);
        if let Some(tally) = self.tallies.get_mut(&old) {
            tally.running = tally.running.saturating_sub(1);
        }
        let over = over.map(|over| match over {
            Over::Left | Over::Answered => CallError::Cancelled,
            Over::Cancelled => CallError::CancelledByOperator,
        });
        match app {
            _ if let Some(error) = over => self.refuse(old, call.reply, arrived, error, turn),
            None => {
                let error = CallError::AppNotFound { app: call.request.app };
                self.refuse(old, call.reply, arrived, error, turn);
            }
            Some(app) => {
                self.wait_again(app, call, Scheduler::put_back, turn);
                return true;
            }
        }
        false
    }

    /// Lets the calls that wait for one app wait for another.
    pub fn move_waiting(&mut self, from: AppId, to: AppId, turn: &mut Turn<'_>) {
        for Taken { item, .. } in self.scheduler.take_all(from) {
            self.wait_again(to, item, Scheduler::move_in, turn);
        }
        self.feed_app(to, turn);
    }

    // ---- a call ends without a worker

    /// Ends a call that never got a worker.
    pub fn refuse(
        &mut self,
        app: AppId,
        reply: Reply,
        arrived: Instant,
        error: CallError,
        turn: &mut Turn<'_>,
    ) {
        let (started, first_chunk) = (None, None);
        let end = Ended { served: false, arrived, started, first_chunk, ended: turn.now };
        self.observe(app, end);
        turn.refuse(reply, error);
    }

    /// Ends every waiting call of an app.
    pub fn refuse_waiting(&mut self, app: AppId, error: &CallError, turn: &mut Turn<'_>) {
        for Taken { id, item, .. } in self.scheduler.take_all(app) {
            self.places.remove(&id);
            self.refuse(app, item.reply, item.request.arrived, error.clone(), turn);
        }
    }

    /// Ends the calls whose deadline has passed in a queue.
    pub fn expire(&mut self, turn: &mut Turn<'_>) {
        while let Some(Taken { app, item, .. }) = self.scheduler.expire(turn.now) {
            self.time_out(app, item, turn);
        }
        turn.arm(self.scheduler.next_deadline());
    }

    fn time_out(&mut self, app: AppId, call: Call, turn: &mut Turn<'_>) {
        self.places.remove(&call.id);
        let arrived = call.request.arrived;
        let waited = turn.now.saturating_duration_since(arrived);
        self.refuse(app, call.reply, arrived, CallError::QueueTimeout { waited }, turn);
    }

    // ---- inside

    /// A call whose deadline passed in the queue never reaches a worker, even if
    /// a slot frees before the alarm rings.
    fn assign_unless_late(
        &mut self,
        worker: WorkerId,
        app: AppId,
        call: Call,
        turn: &mut Turn<'_>,
    ) {
        if !call.queue_deadline().is_over(turn.now) {
            return self.assign(worker, app, call, turn);
        }
        self.scheduler.release(worker);
        self.time_out(app, call, turn);
    }

    /// Puts a call into the slot that was claimed for it.
    fn assign(&mut self, worker: WorkerId, app: AppId, call: Call, turn: &mut Turn<'_>) {
        let arrived = call.request.arrived;
        let counted = self.scheduler.begin(call.request.peer.principal(), call.request.quota);
        let place = Place::Slot { app, worker, arrived, over: None, counted };
        self.places.insert(call.id, place);
        if let Some(tally) = self.tallies.get_mut(&app) {
            tally.running += 1;
        }
        turn.tell(worker, Control::Start(call));
    }

    fn wait_again(
        &mut self,
        app: AppId,
        call: Call,
        put: fn(&mut Scheduler<Call>, AppId, Wait, Call),
        turn: &mut Turn<'_>,
    ) {
        let wait = Wait::of(&call);
        self.places.insert(wait.id, Place::Queue(app));
        put(&mut self.scheduler, app, wait, call);
        turn.arm(wait.deadline);
    }

    fn leave_slot(&mut self, end: End) -> Option<AppId> {
        let Place::Slot { app, arrived, counted, .. } = self.places.remove(&end.call)? else {
            return None;
        };
        self.uncount(counted);
        if let Some(tally) = self.tallies.get_mut(&app) {
            tally.running = tally.running.saturating_sub(1);
        }
        let End { served, started, first_chunk, ended, .. } = end;
        self.observe(app, Ended { served, arrived, started: Some(started), first_chunk, ended });
        Some(app)
    }

    fn uncount(&mut self, counted: Option<Principal>) {
        if let Some(principal) = counted {
            self.scheduler.end(principal);
            self.freed.push(principal);
        }
    }

    /// The one point that every call passes at its end.
    fn observe(&mut self, app: AppId, end: Ended) {
        debug_assert!(end.is_in_order(), "{end:?}");
        if let Some(tally) = self.tallies.get_mut(&app) {
            match end.served {
                true => tally.served += 1,
                false => tally.failed += 1,
            }
        }
    }
}

impl Wait {
    fn of(call: &Call) -> Self {
        Self {
            id: call.id,
            deadline: call.queue_deadline(),
            bytes: call.size(),
            principal: call.request.peer.principal(),
            quota: call.request.quota,
        }
    }
}

impl Ended {
    fn is_in_order(&self) -> bool {
        let times = [Some(self.arrived), self.started, self.first_chunk, Some(self.ended)];
        times.into_iter().flatten().is_sorted()
    }
}

/// The time after which it makes sense to try again when a queue is full: what
/// the oldest call has waited is what a new one would have to wait.
pub fn retry_after(queue: Option<&AppQueue<Call>>, has_slots: bool, now: Instant) -> Duration {
    let oldest = queue.and_then(AppQueue::oldest);
    let waited = oldest
        .map_or(Duration::ZERO, |(_, call)| now.saturating_duration_since(call.request.arrived));
    let least = Duration::from_millis(if has_slots { 100 } else { 1000 });
    waited.clamp(least, Duration::from_secs(30))
}
