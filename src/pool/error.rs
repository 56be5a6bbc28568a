//! Why a pool keeps its size, or its workers.

use crate::{call::WorkerRef, printable::count};

/// Why a pool keeps its size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// No such pool.
    #[error("there is no pool `{pool}`; the pools are {}", quoted(known))]
    NoSuchPool {
        /// The name that was asked for.
        pool: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Its apps would not fit.
    #[error("{}", below_need(pool, *least))]
    BelowNeed {
        /// The pool.
        pool: String,
        /// What its apps need.
        least: u32,
    },
    /// More than anyone means.
    #[error("pool `{pool}`: at most {most} workers")]
    TooMany {
        /// The pool.
        pool: String,
        /// The limit.
        most: u32,
    },
    /// The arbiter ends.
    #[error("the arbiter is draining")]
    Draining,
}

/// Why a reload was not made, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// No such pool, neither at work nor in the configuration.
    #[error("there is no pool `{pool}`; the pools are {}", quoted(known))]
    NoSuchPool {
        /// The name that was asked for.
        pool: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The pool that was named gives an app to another one, or gets one.
    #[error(
        "app `{app}` moves from pool `{from}` to pool `{to}`, for which all pools must be reloaded at once; nothing changed"
    )]
    Moves {
        /// The app.
        app: String,
        /// The pool that serves it.
        from: String,
        /// The pool that is configured to.
        to: String,
    },
    /// One at a time.
    #[error("another reload is running; try again when it has finished")]
    Busy,
    /// It was begun and given up; the words say what stays.
    #[error("{0}")]
    GivenUp(String),
    /// The arbiter ends.
    #[error("the arbiter is draining")]
    Draining,
}

/// Why a worker is not replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// No such worker.
    #[error("there is no worker {id}; {}", those(known))]
    NoSuchWorker {
        /// The number that was asked for.
        id: u64,
        /// Those that there are.
        known: Vec<WorkerRef>,
    },
    /// It has not booted.
    #[error("{0} is booting; it takes no call yet")]
    Booting(WorkerRef),
    /// It leaves, or is being replaced.
    #[error("{0} is being replaced already, or leaves")]
    Leaving(WorkerRef),
    /// The worker that it has replaced is still there.
    #[error("{worker} has replaced {earlier}, which has not left yet; try again then")]
    TooSoon {
        /// The worker.
        worker: WorkerRef,
        /// The one before it.
        earlier: WorkerRef,
    },
    /// The arbiter ends.
    #[error("the arbiter is draining")]
    Draining,
}

fn those(known: &[WorkerRef]) -> String {
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    match known.is_empty() {
        true => "there is none".to_owned(),
        false => format!("there are {}", known.join(", ")),
    }
}

fn below_need(pool: &str, least: u32) -> String {
    match least {
        0 | 1 => format!("pool `{pool}` serves apps, so it needs at least 1 worker"),
        _ => format!(
            "pool `{pool}` needs at least {} for its apps; lower the apps' `workers` first",
            count(least, "worker")
        ),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
