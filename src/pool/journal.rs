//! The events of the life cycle: one call writes the line of the log and tells
//! the watchers, so that neither can be forgotten.

use std::time::SystemTime;

use tokio::sync::broadcast;

use super::machine::{EntryKind, Level, Note};
use crate::call::WorkerRef;

/// How many events a slow watcher may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// One event.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub time: SystemTime,
    /// What.
    pub kind: EntryKind,
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
    watchers: broadcast::Sender<Entry>,
}

impl Journal {
    /// A journal that nobody watches yet.
    pub fn new() -> Self {
        Self { watchers: broadcast::channel(BACKLOG).0 }
    }

    /// What to subscribe to.
    pub fn watchers(&self) -> broadcast::Sender<Entry> {
        self.watchers.clone()
    }

    /// Writes a note to the log and, if it is an event, tells the watchers.
    pub fn write(&self, note: Note) {
        let Note { level, kind, worker, app, pool, message } = note;
        {
            // Fields without a value are left out of the line.
            let event = kind.map(tracing::field::debug);
            let (id, pid) = (worker.map(|w| w.id), worker.map(|w| w.pid));
            let (app, pool) = (app.as_deref(), pool.as_deref());
            match level {
                Level::Info => tracing::info!(event, worker = id, pid, app, pool, "{message}"),
                Level::Warn => tracing::warn!(event, worker = id, pid, app, pool, "{message}"),
                Level::Error => tracing::error!(event, worker = id, pid, app, pool, "{message}"),
            }
        }
        if let Some(kind) = kind {
            let time = SystemTime::now();
            // Nobody watching is fine.
            let _ = self.watchers.send(Entry { time, kind, worker, app, pool, message });
        }
    }
}
