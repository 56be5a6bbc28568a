//! What the pool decides. Pure: events and the time go in, actions come out. It
//! starts no process, reads no clock, sends nothing and logs nothing.
//!
//! ```text
//!   Event ──> on(event, now) ──> [Action]
//!               │
//!               ├─ dispatch   queues, slots, and who is next
//!               ├─ fleet      apps, pools, seats, workers: who is there
//!               └─ phase      serving, reloading, draining: what may be asked now
//! ```
//!
//! Each of the three owns its tables and opens them by narrow doors. What joins
//! them stands here and in [`life`], the life of a worker from its start to its
//! end; `calls`, `scale` and [`phase`]'s files are its neighbours.

mod calls;
mod dispatch;
mod fleet;
pub(crate) mod ids;
mod life;
mod measures;
mod phase;
mod scale;
mod snapshot;
mod turn;

#[cfg(any(test, feature = "internals"))]
pub(crate) mod simulation;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

#[cfg(feature = "internals")]
pub(crate) use dispatch::scheduler;
pub use fleet::WorkerState;
pub use measures::{Cause, Measures};
pub use turn::{EntryKind, Level, Note};

use self::{
    dispatch::Dispatch,
    fleet::Fleet,
    ids::WorkerId,
    measures::AllMeasures,
    phase::{Phase, Scope},
    turn::Turn,
};
use super::{Health, ReloadError, RestartError, ScaleError, ScaleTo};
use crate::{
    call::{Call, CallError, CallId, CallRequest, Cancelled, FromCaller, Reply, WorkerRef},
    clock::Deadline,
    config::{Config, PoolConfig},
    worker::{Control, Report},
};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A call arrived.
    Submit(CallId, Box<CallRequest>, Reply),
    /// Its caller said something more.
    Caller(CallId, FromCaller),
    /// A worker process was started; its process id.
    Spawned(WorkerId, i32),
    /// It could not be started, and why.
    NotSpawned(WorkerId, String),
    /// A call was not given to its worker, because that one's task has ended. Its
    /// death is on its way.
    NotStarted(WorkerId, Box<Call>),
    /// A worker reports.
    Worker(WorkerId, Report),
    /// How many bytes of memory a worker uses.
    Measured(WorkerId, u64),
    /// A pool should have another size; an empty name means the default pool.
    Scale {
        /// The pool.
        pool: String,
        /// Its size.
        change: ScaleTo,
    },
    /// A new configuration should take effect, of one pool or, with an empty
    /// name, of all.
    Reload {
        /// The configuration.
        config: Box<Config>,
        /// The pool.
        pool: String,
    },
    /// An operator ends a call.
    CancelCall(CallId),
    /// An operator has a worker replaced.
    Restart(WorkerId),
    /// The arbiter ends; calls have until the instant.
    Drain(Instant),
    /// The arbiter ends, because another one serves: calls have their own timeouts,
    /// and streams `drain_timeout`.
    GiveWay,
    /// No connection is left: no call can come any more.
    EdgeClosed,
    /// What was due has come.
    Alarm,
}

impl Event {
    /// Whether it concerns one call and nothing else: neither who serves nor who
    /// is there can change by it.
    fn is_of_a_call(&self) -> bool {
        matches!(
            self,
            Self::Submit(..)
                | Self::Caller(..)
                | Self::Worker(
                    _,
                    Report::Finished(_)
                        | Report::TimedOut(..)
                        | Report::CutOff(..)
                        | Report::Abandoned(_)
                        | Report::LateFrame
                        | Report::Metrics(_)
                )
        )
    }
}

/// What to do, in the order of the list.
#[derive(Debug)]
pub enum Action {
    /// Start a worker process, when there is time; the answer is [`Event::Spawned`]
    /// or [`Event::NotSpawned`]. What the worker is told meanwhile, it hears then;
    /// one that is killed meanwhile is not started.
    Spawn(WorkerId, Arc<PoolConfig>, Shared),
    /// Tell a worker; a call that cannot be told is [`Event::NotStarted`].
    Tell(WorkerId, Control),
    /// End a call that no worker has.
    Refuse(Reply, CallError),
    /// Read how much memory a worker uses; the answer is [`Event::Measured`].
    Measure(WorkerId),
    /// Write a line to the log, and tell the watchers of events.
    Note(Note),
    /// Tell health checks which apps are served.
    Publish(Health),
    /// Answer [`Event::Scale`]: the sizes before and after.
    Scaled(Result<(u32, u32), ScaleError>),
    /// Answer [`Event::Reload`]: how many workers were replaced.
    Reloaded(Result<u32, ReloadError>),
    /// Answer [`Event::CancelCall`]: where the call was, if there is one.
    Cancelled(Option<Cancelled>),
    /// Answer [`Event::Restart`]: the worker and its pool.
    Restarting(Result<(WorkerRef, String), RestartError>),
}

/// Settings that all pools share.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// The credit that a stream starts with.
    pub window: crate::config::Window,
    /// The largest message in bytes.
    pub max_message_size: usize,
    /// How long a worker may look for the next frame before it sleeps.
    pub busy_wait: std::time::Duration,
    /// How long a worker may take to leave.
    pub graceful_timeout: std::time::Duration,
    /// How long streams may go on in a worker that is to leave.
    pub drain_timeout: std::time::Duration,
    /// In which order a reload replaces workers.
    pub reload: crate::config::ReloadMode,
}

impl Shared {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            window: config.window,
            max_message_size: config.limits.max_message_size,
            busy_wait: config.busy_wait,
            graceful_timeout: config.graceful_timeout,
            drain_timeout: config.drain_timeout,
            reload: config.reload,
        }
    }
}

/// The state of the pool.
#[derive(Debug)]
pub struct Machine {
    shared: Shared,
    dispatch: Dispatch,
    fleet: Fleet,
    phase: Phase,
    /// Reloads that succeeded.
    reloads: u64,
    /// Frames of workers for calls that had ended.
    late_frames: u64,
    /// What is counted of the life of workers.
    measures: AllMeasures,
    /// What health checks were told last.
    published: Health,
    /// Lifetimes and memory are looked at again.
    next_look: Deadline,
    /// Never later than what is due first. It may be earlier: that costs a look,
    /// while keeping it exact would cost every call.
    due: Deadline,
    random: fastrand::Rng,
}

impl Machine {
    /// The pools of a configuration; the first [`Event::Alarm`] starts their
    /// workers. `seed` draws pauses and lifetimes.
    pub fn new(config: &Config, seed: u64, now: Instant) -> Self {
        let mut machine = Self {
            shared: Shared::of(config),
            dispatch: Dispatch::default(),
            fleet: Fleet::default(),
            phase: Phase::Opening,
            reloads: 0,
            late_frames: 0,
            measures: AllMeasures::default(),
            published: Health::new(),
            next_look: Deadline::Never,
            due: now.into(),
            random: fastrand::Rng::with_seed(seed),
        };
        for pool in &config.pools {
            machine.add_pool(pool);
        }
        machine
    }

    /// When the next [`Event::Alarm`] is due; never too late, maybe too early.
    pub fn due(&self) -> Deadline {
        self.due
    }

    /// Whether a drain is over: every process is gone.
    pub fn is_drained(&self) -> bool {
        self.phase.drain().is_some_and(|drain| drain.refuses_calls()) && self.fleet.is_empty()
    }

    /// Takes an event; adds what to do to `actions`.
    pub fn on(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) {
        let mut turn = Turn::new(now, actions);
        let is_of_a_call = event.is_of_a_call();
        match event {
            Event::Submit(id, request, reply) => self.submit(id, request, reply, &mut turn),
            Event::Caller(id, said) => self.on_caller(id, said, &mut turn),
            Event::Worker(id, report) => self.on_report(id, report, &mut turn),
            Event::Spawned(id, pid) => self.on_spawned(id, pid, &mut turn),
            Event::NotSpawned(id, why) => self.on_not_spawned(id, &why, &mut turn),
            Event::NotStarted(id, call) => self.dispatch.on_not_started(id, *call, &mut turn),
            Event::Measured(id, bytes) => self.on_measured(id, bytes, &mut turn),
            Event::Scale { pool, change } => {
                let scaled = self.scale(&pool, change, &mut turn);
                turn.act(Action::Scaled(scaled));
            }
            Event::Reload { config, pool } => {
                self.begin_reload(&config, Scope::of(pool), &mut turn);
            }
            Event::CancelCall(id) => {
                let was = self.dispatch.on_cancelled(id, &mut turn);
                turn.act(Action::Cancelled(was));
            }
            Event::Restart(id) => {
                let restarted = self.restart(id, &mut turn);
                turn.act(Action::Restarting(restarted));
            }
            Event::Drain(deadline) => self.begin_drain(deadline, &mut turn),
            Event::GiveWay => self.begin_giving_way(&mut turn),
            Event::EdgeClosed => self.on_edge_closed(),
            Event::Alarm => self.on_alarm(&mut turn),
        }
        self.dispatch.feed_freed(&mut turn);
        if !is_of_a_call {
            self.settle_all(&mut turn);
            self.free_rows();
            self.publish_health(&mut turn);
        }
        self.end_drain_if_idle(&mut turn);
        self.due = self.due.min(turn.due());
    }

    fn on_alarm(&mut self, turn: &mut Turn<'_>) {
        self.due = Deadline::Never;
        if let Phase::Opening = self.phase {
            self.phase = Phase::Serving;
            for pool in self.fleet.pool_ids() {
                self.fill_seats(pool, turn);
            }
            self.start_housekeeping(turn);
        }
        self.dispatch.expire(turn);
        self.restart_due_seats(turn);
        self.retry_due_apps(turn);
        self.housekeep(turn);
        self.enforce_drain(turn);
    }

    /// How many rows the tables have.
    #[cfg(any(test, feature = "internals"))]
    fn rows(&self) -> Rows {
        let (apps, pools, workers) = self.fleet.rows();
        let (queues, calls, early) = self.dispatch.rows();
        Rows { apps, queues, pools, workers, calls, early }
    }

    /// Tells health checks which apps can be served, if that changed.
    fn publish_health(&mut self, turn: &mut Turn<'_>) {
        let mut health = Health::new();
        for (id, app) in self.fleet.apps() {
            let is_served = self.dispatch.servers(id) > 0;
            // While a reload moves an app to another pool, both may serve it.
            match health.iter_mut().find(|(path, _)| path == app.path()) {
                Some((_, served)) => *served |= is_served,
                None => health.push((app.path().to_owned(), is_served)),
            }
        }
        if health != self.published {
            self.published.clone_from(&health);
            turn.act(Action::Publish(health));
        }
    }
}

/// How many rows the tables have, those of what is out of the configuration
/// included.
#[cfg(any(test, feature = "internals"))]
#[derive(Debug, PartialEq, Eq)]
struct Rows {
    apps: usize,
    queues: usize,
    pools: usize,
    workers: usize,
    calls: usize,
    /// Callers that left before their call came.
    early: usize,
}
