//! Everything that can become of a call other than its result: one closed enum,
//! free of gRPC; `server::status` maps it.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::printable::count;

/// A worker process, as errors and logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerRef {
    /// The arbiter's number for it.
    pub id: u64,
    /// Its process id.
    pub pid: i32,
}

impl fmt::Display for WorkerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} (pid {})", self.id, self.pid)
    }
}

/// How a worker process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedBy {
    /// It exited with a code.
    Exit(i32),
    /// A signal ended it.
    Signal(i32),
    /// The arbiter killed it, for the reason given.
    Killed(String),
}

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => match nix::sys::signal::Signal::try_from(*number) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            Self::Killed(why) => write!(f, "was killed by the arbiter: {why}"),
        }
    }
}

/// What an app's exception tells its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppFailure {
    /// The exception's type, with its module.
    pub exception_type: String,
    /// Its message.
    pub message: String,
    /// Its traceback, as text.
    pub traceback: String,
    /// The `google.rpc.Code` that the app chose; 0 for none.
    pub code: i32,
    /// Facts that the app chose to add.
    pub metadata: BTreeMap<String, String>,
}

impl fmt::Display for AppFailure {
    /// An app that chose a code speaks to its caller; otherwise the type of the
    /// exception says more than its message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            0 => write!(f, "{}: {}", self.exception_type, self.message),
            _ => f.write_str(&self.message),
        }
    }
}

/// The limit that a call met which could not be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueBound {
    /// The limit of waiting calls is reached; the limit.
    Calls(usize),
    /// More bytes than may would wait.
    Bytes {
        /// Those of the calls that wait.
        waiting: u64,
        /// Those of this call.
        own: u64,
        /// As many as may.
        limit: u64,
    },
    /// The number of calls, of all apps, that all connections may have is reached;
    /// that number.
    Connections(usize),
    /// The calls of its peer took more than their share, and this one, the newest
    /// of them, left for a call of another peer.
    Share,
    /// Its user has as many calls waiting as its entry allows; that number.
    OfUser(u32),
}

impl QueueBound {
    /// The key of the configuration that sets it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Calls(_) => "max_queue",
            Self::Bytes { .. } => "max_queue_bytes",
            Self::Connections(_) => "max_concurrent_streams",
            Self::Share => "max_queue",
            Self::OfUser(_) => "access.max_queue",
        }
    }
}

impl fmt::Display for QueueBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(limit) => write!(f, "{} already", waiting(*limit as u64, "")),
            Self::Bytes { waiting, own, limit } => write!(
                f,
                "calls of {waiting} bytes are waiting already, and with the {own} of this one they would exceed {limit}"
            ),
            Self::Connections(limit) => write!(f, "{limit} calls of all apps are already being handled"),
            Self::OfUser(limit) => write!(f, "{} already", waiting((*limit).into(), " of this user")),
            Self::Share => f.write_str(
                "the calls of this user fill more than their share of it, and a call of another user needs the room",
            ),
        }
    }
}

fn waiting(calls: u64, whose: &str) -> String {
    let wait = if calls == 1 { "is waiting" } else { "are waiting" };
    format!("{}{whose} {wait}", count(calls, "call"))
}

/// Why a call has no result. The messages are complete sentences without a
/// period; the caller reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such app.
    #[error("app `{app}` is not served here; `dirtyd status` lists the apps that are")]
    AppNotFound {
        /// The name that the caller used.
        app: String,
    },
    /// No such action, or a private one.
    #[error("{message}")]
    ActionNotFound {
        /// Which, and why.
        message: String,
    },
    /// The request cannot be understood.
    #[error("{message}")]
    InvalidRequest {
        /// What is wrong with it.
        message: String,
    },
    /// The action raised.
    #[error("{0}")]
    App(Box<AppFailure>),
    /// The result has no form as a Value.
    #[error("{message}")]
    NotSerializable {
        /// Which part of it.
        message: String,
    },
    /// Execute on a streaming action.
    #[error("the action streams; call it with ExecuteStream")]
    ActionStreams,
    /// The app's queue is full.
    #[error("the queue of app `{app}` is full: {bound}; retry later, or raise {} or workers", bound.key())]
    QueueFull {
        /// The app.
        app: String,
        /// By which limit.
        bound: QueueBound,
        /// When trying again is sensible.
        retry_after: Duration,
    },
    /// A request, result or chunk is over the limit.
    #[error("{message}")]
    MessageTooLarge {
        /// What, how large, and the limit.
        message: String,
    },
    /// The deadline passed in the queue.
    #[error("the deadline passed after {waited:.1?} in the queue; no worker had a free slot")]
    QueueTimeout {
        /// How long it waited.
        waited: Duration,
    },
    /// The deadline had passed before the call could be given to anybody.
    #[error(
        "the deadline had passed when the call had arrived in full, {waited:.1?} after its first bytes; it did not start"
    )]
    DeadlineOver {
        /// How long its arrival took.
        waited: Duration,
    },
    /// The deadline passed while it ran.
    #[error("{message}")]
    ExecutionTimeout {
        /// Whose deadline, and what happens to the work.
        message: String,
    },
    /// Nobody can serve the app, and nobody is about to.
    #[error("no worker can serve app `{app}`: {why}")]
    NoWorkers {
        /// The app.
        app: String,
        /// The boot error, or what the operator must do.
        why: String,
    },
    /// The worker died with the call started.
    #[error("{worker} {ended} while running the call; the call may have had effects")]
    WorkerCrashed {
        /// The worker.
        worker: WorkerRef,
        /// How it ended.
        ended: EndedBy,
    },
    /// The arbiter ends; the call had not started.
    #[error("the arbiter is draining and did not start the call; it is safe to retry")]
    Draining,
    /// Its worker was to leave, and it went on for too long.
    #[error("{message}")]
    CutOff {
        /// Which, in which worker, and after which time.
        message: String,
    },
    /// The caller left.
    #[error("the caller cancelled the call")]
    Cancelled,
    /// An operator ended it.
    #[error("an operator cancelled the call with `dirtyd cancel`; it may have had effects")]
    CancelledByOperator,
    /// The arbiter dropped the call: a fault of ours.
    #[error("the arbiter lost the call; this is a fault in dirtyd, please report it")]
    Lost,
}
