//! One turn of the machine: the time that it takes as given, and what it decides.

use std::time::Instant;

use super::{Action, ids::WorkerId};
use crate::{
    call::{CallError, Reply, WorkerRef},
    clock::Deadline,
    worker::Control,
};

/// What a turn has decided so far.
pub struct Turn<'a> {
    /// The time of the event.
    pub now: Instant,
    due: Deadline,
    actions: &'a mut Vec<Action>,
}

impl<'a> Turn<'a> {
    /// A turn that has decided nothing yet.
    pub fn new(now: Instant, actions: &'a mut Vec<Action>) -> Self {
        Self { now, due: Deadline::Never, actions }
    }

    /// Adds an action.
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Tells a worker.
    pub fn tell(&mut self, worker: WorkerId, control: Control) {
        self.act(Action::Tell(worker, control));
    }

    /// Ends a call that no worker has.
    pub fn refuse(&mut self, reply: Reply, error: CallError) {
        self.act(Action::Refuse(reply, error));
    }

    /// Writes a line.
    pub fn note(&mut self, note: Note) {
        self.act(Action::Note(note));
    }

    /// Makes the alarm ring at `due` at the latest.
    pub fn arm(&mut self, due: impl Into<Deadline>) {
        self.due = self.due.min(due.into());
    }

    /// What this turn armed.
    pub fn due(&self) -> Deadline {
        self.due
    }
}

/// What happened in the life of the arbiter, for watchers of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
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
    /// A call was ended because its worker was to leave.
    CallCutOff,
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

impl EntryKind {
    /// Whether an operator should look.
    fn is_bad(self) -> bool {
        matches!(self, Self::AppFailed | Self::CallTimedOut | Self::CallCutOff | Self::ReloadFailed)
    }
}

/// How much an operator should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Life goes on as planned.
    Info,
    /// Somebody should look.
    Warn,
    /// Somebody should look now.
    Error,
}

/// A line for the log, and, with a kind, an event for who watches.
#[derive(Debug, Clone)]
pub struct Note {
    /// How bad it is.
    pub level: Level,
    /// What happened, if watchers are told.
    pub kind: Option<EntryKind>,
    /// The worker concerned.
    pub worker: Option<WorkerRef>,
    /// The app concerned.
    pub app: Option<String>,
    /// The pool concerned.
    pub pool: Option<String>,
    /// One line for a person: what, why, and what happens next.
    pub message: String,
}

impl Note {
    fn new(level: Level, kind: Option<EntryKind>, message: String) -> Self {
        Self { level, kind, worker: None, app: None, pool: None, message }
    }

    /// An event; how bad it is follows from its kind.
    pub fn event(kind: EntryKind, message: String) -> Self {
        let level = if kind.is_bad() { Level::Warn } else { Level::Info };
        Self::new(level, Some(kind), message)
    }

    /// A line of the log alone.
    pub fn line(level: Level, message: String) -> Self {
        Self::new(level, None, message)
    }

    /// The same, at another level.
    #[must_use]
    pub fn at(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// The same, about a worker.
    #[must_use]
    pub fn worker(mut self, worker: WorkerRef) -> Self {
        self.worker = Some(worker);
        self
    }

    /// The same, about an app.
    #[must_use]
    pub fn app(mut self, path: &str) -> Self {
        self.app = Some(path.to_owned());
        self
    }

    /// The same, about a pool.
    #[must_use]
    pub fn pool(mut self, name: &str) -> Self {
        self.pool = Some(name.to_owned());
        self
    }
}
