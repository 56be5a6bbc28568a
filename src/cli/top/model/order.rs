//! How lists are sorted.

use std::cmp::{Ordering, Reverse};

use dirtyd_client::proto::v1::{AppStatus, CallStatus};

use super::{History, rows::Busy};
use crate::cli::shown::duration;

/// An order of apps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfApps {
    /// As the configuration has them.
    Configured,
    /// Those with the most calls per second first.
    Rate,
    /// Those with the longest queue first.
    Queued,
    /// Those whose slowest calls take longest first.
    RunTime,
    /// Those that fail most first.
    Failed,
}

/// An order of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfWorkers {
    /// The oldest first.
    Age,
    /// Those that use the most processor time first.
    Processor,
    /// The largest first.
    Memory,
    /// Those whose call has run longest first.
    Call,
}

/// An order of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfCalls {
    /// The oldest first.
    Age,
    /// Those with the least time left first.
    TimeLeft,
}

/// The orders of all lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orders {
    /// That of the apps.
    pub apps: OfApps,
    /// That of the workers.
    pub workers: OfWorkers,
    /// That of the calls.
    pub calls: OfCalls,
}

impl Default for Orders {
    fn default() -> Self {
        Self { apps: OfApps::Configured, workers: OfWorkers::Age, calls: OfCalls::Age }
    }
}

impl OfApps {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Configured => Self::Rate,
            Self::Rate => Self::Queued,
            Self::Queued => Self::RunTime,
            Self::RunTime => Self::Failed,
            Self::Failed => Self::Configured,
        }
    }

    /// What it is by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configured => "configuration",
            Self::Rate => "calls per second",
            Self::Queued => "queued calls",
            Self::RunTime => "p99 of the run time",
            Self::Failed => "failures per second",
        }
    }

    /// Sorts apps, which are in the order of the configuration.
    pub(super) fn sort(self, apps: &mut [&AppStatus], history: &History) {
        let p99 = |app: &AppStatus| duration(app.run_time.as_ref().and_then(|times| times.p99));
        let failed = |app: &AppStatus| history.failed_per_second(&app.app).unwrap_or(0.0);
        match self {
            Self::Configured => {}
            Self::Rate => {
                apps.sort_by(|one, other| descending(one.calls_per_second, other.calls_per_second));
            }
            Self::Queued => apps.sort_by_key(|app| Reverse(app.queued)),
            Self::RunTime => apps.sort_by_key(|app| Reverse(p99(app))),
            Self::Failed => apps.sort_by(|one, other| descending(failed(one), failed(other))),
        }
    }
}

impl OfWorkers {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Age => Self::Processor,
            Self::Processor => Self::Memory,
            Self::Memory => Self::Call,
            Self::Call => Self::Age,
        }
    }

    /// What it is by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Processor => "processor time",
            Self::Memory => "memory",
            Self::Call => "how long the call has run",
        }
    }

    /// Sorts workers, the oldest of which is first.
    pub(super) fn sort(self, workers: &mut [Busy<'_>], history: &History) {
        let used = |row: &Busy<'_>| history.processors(row.worker.id).unwrap_or(0.0);
        match self {
            Self::Age => {}
            Self::Processor => workers.sort_by(|one, other| descending(used(one), used(other))),
            Self::Memory => workers.sort_by_key(|row| Reverse(row.worker.memory_bytes)),
            Self::Call => {
                workers.sort_by_key(|row| Reverse(row.call.map(|call| duration(call.running_for))))
            }
        }
    }
}

impl OfCalls {
    /// The order after this one.
    pub fn next(self) -> Self {
        match self {
            Self::Age => Self::TimeLeft,
            Self::TimeLeft => Self::Age,
        }
    }

    /// What it is by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::TimeLeft => "time left",
        }
    }

    /// Sorts calls, the oldest of which is first.
    pub(super) fn sort(self, calls: &mut [&CallStatus]) {
        match self {
            Self::Age => {}
            Self::TimeLeft => {
                calls.sort_by_key(|call| (call.time_left.is_none(), duration(call.time_left)))
            }
        }
    }
}

fn descending(one: f64, other: f64) -> Ordering {
    other.total_cmp(&one)
}
