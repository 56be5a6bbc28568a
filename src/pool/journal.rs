//! The events of the life cycle: one call writes the log line and tells the
//! watchers, so that neither can be forgotten.

use std::time::SystemTime;

use tokio::sync::broadcast;

use crate::call::WorkerRef;

/// How many events a slow watcher may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A worker process was started.
    WorkerStarted,
    /// A worker takes calls.
    WorkerReady,
    /// A worker process ended.
    WorkerDied,
    /// A worker gets no further calls.
    WorkerDraining,
    /// An app could not be loaded in a worker.
    AppFailed,
    /// An app that had failed was loaded.
    AppRecovered,
    /// A call ran into its timeout.
    CallTimedOut,
    /// A reload began.
    ReloadStarted,
    /// A reload replaced every worker.
    ReloadFinished,
    /// A reload was given up.
    ReloadFailed,
    /// A pool has another size.
    Scaled,
    /// The arbiter drains.
    Draining,
}

impl EventKind {
    /// Whether an operator should look.
    fn is_bad(self) -> bool {
        matches!(self, Self::AppFailed | Self::CallTimedOut | Self::ReloadFailed)
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub time: SystemTime,
    /// What.
    pub kind: EventKind,
    /// The worker concerned.
    pub worker: Option<WorkerRef>,
    /// The app concerned.
    pub app: Option<String>,
    /// The pool concerned.
    pub pool: Option<String>,
    /// One line for a person: what, why, and what happens next.
    pub message: String,
}

/// Where events go.
#[derive(Debug)]
pub struct Journal {
    watchers: broadcast::Sender<Event>,
}

/// Whom an event is about.
#[derive(Debug, Default)]
pub struct About<'a> {
    /// The worker.
    pub worker: Option<WorkerRef>,
    /// The app.
    pub app: Option<&'a str>,
    /// The pool.
    pub pool: Option<&'a str>,
}

impl Journal {
    /// A journal that nobody watches yet.
    pub fn new() -> Self {
        Self { watchers: broadcast::channel(BACKLOG).0 }
    }

    /// What to subscribe to.
    pub fn watchers(&self) -> broadcast::Sender<Event> {
        self.watchers.clone()
    }

    /// Notes an expected event.
    pub fn note(&self, kind: EventKind, about: About<'_>, message: String) {
        self.write(kind, about, message, kind.is_bad());
    }

    /// Notes an event that an operator should look at.
    pub fn warn(&self, kind: EventKind, about: About<'_>, message: String) {
        self.write(kind, about, message, true);
    }

    fn write(&self, kind: EventKind, about: About<'_>, message: String, bad: bool) {
        // Fields without a value are left out of the line.
        let (worker, pid) = (about.worker.map(|w| w.id), about.worker.map(|w| w.pid));
        let (app, pool) = (about.app, about.pool);
        if bad {
            tracing::warn!(event = ?kind, worker, pid, app, pool, "{message}");
        } else {
            tracing::info!(event = ?kind, worker, pid, app, pool, "{message}");
        }
        // Nobody watching is fine.
        let _ = self.watchers.send(Event {
            time: SystemTime::now(),
            kind,
            worker: about.worker,
            app: about.app.map(str::to_owned),
            pool: about.pool.map(str::to_owned),
            message,
        });
    }
}
