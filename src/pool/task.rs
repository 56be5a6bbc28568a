//! The pool's task: its state, and the loop that turns events into decisions.
//! What is decided stands beside it, an `impl Pool` per subject.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, watch};

use super::{
    Health, Request,
    drain::Drain,
    ids::{AppId, WorkerId},
    journal::Journal,
    reload::{Reload, Scope},
    scheduler::Scheduler,
    tables::{App, Group, Worker},
};
use crate::{
    call::{Call, CallError, CallId, FromCaller},
    clock::{Alarm, Deadline},
    config::{Config, Window},
    worker,
};

/// Events of workers that wait for the task; a worker's task waits when it is
/// full.
const EVENTS: usize = 1024;

/// Settings that hold for all pools.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The credit of streams.
    pub window: Window,
    /// The largest message in bytes.
    pub max_message_size: usize,
    /// How long a worker may look for the next frame before it sleeps.
    pub busy_wait: Duration,
    /// How long a worker may take to leave.
    pub graceful_timeout: Duration,
    /// In which order a reload replaces workers.
    pub reload: crate::config::ReloadMode,
}

impl Settings {
    /// These after a reload. Streams and messages pass the edge, which has the
    /// limits of its start: workers with others would be killed for chunks that
    /// they have credit for, or wait for credit that never comes.
    pub(super) fn reloaded(&self, new: Self) -> Self {
        let (window, max_message_size) = (self.window, self.max_message_size);
        if (window, max_message_size) != (new.window, new.max_message_size) {
            tracing::warn!(
                "reload: max_message_size, stream_window and stream_window_bytes stay as they are; they take an upgrade or a restart"
            );
        }
        Self { window, max_message_size, ..new }
    }
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the queue of its app.
    Queued(AppId),
    /// In a slot of a worker.
    Running(AppId, WorkerId),
}

/// The state of the pool.
pub struct Pool {
    pub(super) settings: Settings,
    pub(super) apps: Vec<App>,
    pub(super) app_ids: HashMap<String, AppId>,
    pub(super) groups: Vec<Group>,
    pub(super) workers: BTreeMap<WorkerId, Worker>,
    pub(super) scheduler: Scheduler<Call>,
    pub(super) calls: BTreeMap<CallId, Place>,
    pub(super) journal: Journal,
    pub(super) late_frames: Arc<AtomicU64>,
    pub(super) next_worker: WorkerId,
    pub(super) reload: Option<Reload>,
    pub(super) reloads: u64,
    pub(super) drain: Option<Drain>,
    pub(super) worker_events: mpsc::Sender<(WorkerId, worker::Event)>,
    health: watch::Sender<Health>,
    requests: mpsc::Receiver<Request>,
    callers: mpsc::Receiver<(CallId, FromCaller)>,
    events: mpsc::Receiver<(WorkerId, worker::Event)>,
    alarm: Alarm,
    /// Never later than what is due first.
    due: Deadline,
}

/// What woke the task.
enum Wake {
    Caller(CallId, FromCaller),
    Event(WorkerId, worker::Event),
    Request(Request),
    Alarm,
}

impl Pool {
    pub(super) fn new(
        config: &Config,
        requests: mpsc::Receiver<Request>,
        callers: mpsc::Receiver<(CallId, FromCaller)>,
        health: watch::Sender<Health>,
    ) -> Self {
        let (worker_events, events) = mpsc::channel(EVENTS);
        let mut pool = Self {
            settings: settings(config),
            apps: Vec::new(),
            app_ids: HashMap::new(),
            groups: Vec::new(),
            workers: BTreeMap::new(),
            scheduler: Scheduler::default(),
            calls: BTreeMap::new(),
            journal: Journal::new(),
            late_frames: Arc::default(),
            next_worker: 1,
            reload: None,
            reloads: 0,
            drain: None,
            worker_events,
            health,
            requests,
            callers,
            events,
            alarm: Alarm::new(),
            due: Deadline::Never,
        };
        for group in &config.pools {
            pool.add_group(group);
        }
        pool
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Serves until a drain has ended.
    pub(super) async fn run(mut self) {
        for group in 0..self.groups.len() {
            self.fill_seats(group);
        }
        self.start_housekeeping();
        self.publish_health();
        while !self.is_drained() {
            self.alarm.set(self.due);
            // Cancels first: what nobody waits for should not be started. Then
            // workers, because they free slots, and what they report is bounded
            // by those; then time; new calls last, so that a flood of them
            // starves nothing.
            let wake = tokio::select! { biased;
                Some((id, said)) = self.callers.recv() => Wake::Caller(id, said),
                Some((worker, event)) = self.events.recv() => Wake::Event(worker, event),
                () = self.alarm.rings() => Wake::Alarm,
                Some(request) = self.requests.recv() => Wake::Request(request),
                else => return, // no handle is left: nobody can ask for anything
            };
            match wake {
                Wake::Caller(id, FromCaller::Left) => self.cancel(id),
                Wake::Caller(id, FromCaller::Credit(credit)) => self.pass_credit(id, credit),
                Wake::Event(worker, event) => self.on_worker(worker, event),
                Wake::Alarm => self.on_alarm(),
                Wake::Request(request) => self.on_request(request),
            }
        }
        // What came too late to be looked at. Whoever asked for anything else
        // learns the same from the end of this task.
        while let Ok(request) = self.requests.try_recv() {
            if let Request::Submit(_, _, reply) = request {
                reply.fail(CallError::Draining, None);
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Submit(id, request, reply) => self.submit(id, request, reply),
            Request::Status(reply) => drop(reply.send(self.snapshot())),
            Request::Scale { pool, change, reply } => drop(reply.send(self.scale(&pool, change))),
            Request::Reload { config, pool, reply } => {
                self.begin_reload(&config, Scope::of(pool), reply);
            }
            Request::Drain(deadline) => self.begin_drain(deadline),
            Request::EdgeClosed => self.on_edge_closed(),
        }
    }

    fn on_worker(&mut self, worker: WorkerId, event: worker::Event) {
        match event {
            worker::Event::Finished(id, served) => self.on_finished(worker, id, served),
            worker::Event::TimedOut(id, message) => self.on_timed_out(worker, id, message),
            worker::Event::Imported(app, result) => self.on_imported(worker, &app, result),
            worker::Event::Loaded(app, result) => self.on_loaded(worker, &app, result),
            worker::Event::Booted => self.on_booted(worker),
            worker::Event::Died(death) => self.on_died(worker, death),
        }
    }

    /// Makes the alarm ring at `due` at the latest. It may ring too early: that
    /// costs a look, while keeping it exact would cost every call.
    pub(super) fn arm(&mut self, due: impl Into<Deadline>) {
        self.due = self.due.min(due.into());
    }

    fn on_alarm(&mut self) {
        let now = Instant::now();
        self.due = Deadline::Never;
        self.expire_calls(now);
        self.restart_due_seats(now);
        self.retry_due_apps(now);
        self.housekeep(now);
        self.enforce_drain(now);
    }

    /// Tells health checks which apps can be served, if that changed.
    pub(super) fn publish_health(&self) {
        let health: Health = (self.apps.iter())
            .filter(|app| !app.removed)
            .map(|app| (app.config.path.clone(), app.ready > 0))
            .collect();
        self.health.send_if_modified(|old| {
            let changed = *old != health;
            *old = health;
            changed
        });
    }
}

/// The settings of a configuration.
pub(super) fn settings(config: &Config) -> Settings {
    Settings {
        window: config.window,
        max_message_size: config.limits.max_message_size,
        busy_wait: config.busy_wait,
        graceful_timeout: config.graceful_timeout,
        reload: config.reload,
    }
}
