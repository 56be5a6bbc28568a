//! What can become of a call, for its caller.

use std::{collections::HashMap, fmt, path::Path, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::channel::Sent;
use crate::value::{ValueError, WrongKind};

/// Why a call failed, as the arbiter's ErrorInfo says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No such app.
    AppNotFound,
    /// No such action, or a private one.
    ActionNotFound,
    /// The request is malformed.
    InvalidRequest,
    /// The action raised; see `remote_type` and `remote_traceback`.
    AppError,
    /// The result has no form as a Value.
    ResultNotSerializable,
    /// Execute on an action that streams.
    ActionStreams,
    /// The queue is full; see `retry_after`.
    QueueFull,
    /// A request, result or chunk is too large.
    MessageTooLarge,
    /// The deadline passed in the queue.
    QueueTimeout,
    /// The deadline passed while the action ran.
    ExecutionTimeout,
    /// No worker can serve the app.
    NoWorkers,
    /// The worker died; the call may have had effects.
    WorkerCrashed,
    /// The arbiter ends, and the call had not started; or, with the code ABORTED, the
    /// worker of a stream was to leave, and the stream went on for too long.
    Draining,
    /// A reason that this client does not know.
    Other(String),
}

/// What the arbiter says of a call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} [{reason}]")]
#[non_exhaustive]
pub struct CallFailure {
    /// Why.
    pub reason: Reason,
    /// The gRPC code.
    pub code: Code,
    /// What happened, to whom, and what to do.
    pub message: String,
    /// How long to wait before a retry, where one is sensible.
    pub retry_after: Option<Duration>,
    /// The type of the exception that the action raised.
    pub remote_type: Option<String>,
    /// Its traceback.
    pub remote_traceback: Option<String>,
    /// All facts of the ErrorInfo: app, action, worker_pid, ...
    pub facts: HashMap<String, String>,
}

/// The failure of a call.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The arbiter answered with an error.
    #[error(transparent)]
    Call(Box<CallFailure>),
    /// A second after the caller's own deadline there was no answer. The call may have had effects.
    #[error("dirtyd did not answer by the deadline, nor in the second after it")]
    DeadlineExceeded,
    /// There is no connection, or it broke.
    #[error("{}", unanswered(socket, message, *sent))]
    Connection {
        /// The socket.
        socket: String,
        /// Why.
        message: String,
        /// How far the call got.
        sent: Sent,
    },
    /// An argument cannot be sent.
    #[error("{0}")]
    InvalidArgument(String),
    /// The answer cannot be understood.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The answer is of another kind than the caller takes.
    #[error("the answer cannot be used: {0}")]
    WrongKind(#[from] WrongKind),
}

impl Error {
    /// Reads a status that came from a call over `socket`.
    pub fn of(status: Status, socket: &Path) -> Self {
        let details = status.get_error_details();
        let Some(info) = details.error_info().filter(|info| info.domain == "dirty.v1") else {
            return match status.code() {
                Code::DeadlineExceeded => Self::DeadlineExceeded,
                _ => Self::Connection {
                    socket: socket.display().to_string(),
                    message: cause(&status),
                    sent: Sent::of(&status),
                },
            };
        };
        Self::Call(Box::new(CallFailure {
            reason: reason(&info.reason),
            code: status.code(),
            message: status.message().to_owned(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            remote_type: info.metadata.get("exception_type").cloned(),
            remote_traceback: details.debug_info().map(|info| info.stack_entries.join("\n")),
            facts: info.metadata.clone(),
        }))
    }

    /// The reason, if the arbiter gave one.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Call(failure) => Some(&failure.reason),
            _ => None,
        }
    }
}

impl Error {
    /// Whether the call certainly had not started, so that another attempt
    /// cannot do its work twice.
    pub fn is_unstarted(&self) -> bool {
        match self {
            Self::Call(failure) => match &failure.reason {
                Reason::QueueFull | Reason::QueueTimeout | Reason::NoWorkers => true,
                // A stream that a drain has cut off says the same, with ABORTED.
                Reason::Draining => failure.code == Code::Unavailable,
                Reason::Other(reason) => reason == "TOO_MANY_CONNECTIONS",
                _ => false,
            },
            Self::Connection { sent, .. } => *sent != Sent::Perhaps,
            Self::DeadlineExceeded
            | Self::InvalidArgument(_)
            | Self::Value(_)
            | Self::WrongKind(_) => false,
        }
    }

    /// Whether the arbiter's closing connection refused the call unseen, so that
    /// a new connection is all that it needs.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Connection { sent: Sent::Refused, .. })
    }

    /// How long to wait before a retry, where the arbiter says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Call(failure) => failure.retry_after,
            _ => None,
        }
    }
}

/// The reasons by the names that the arbiter gives them.
const NAMES: [(&str, Reason); 13] = [
    ("APP_NOT_FOUND", Reason::AppNotFound),
    ("ACTION_NOT_FOUND", Reason::ActionNotFound),
    ("INVALID_REQUEST", Reason::InvalidRequest),
    ("APP_ERROR", Reason::AppError),
    ("RESULT_NOT_SERIALIZABLE", Reason::ResultNotSerializable),
    ("ACTION_STREAMS", Reason::ActionStreams),
    ("QUEUE_FULL", Reason::QueueFull),
    ("MESSAGE_TOO_LARGE", Reason::MessageTooLarge),
    ("QUEUE_TIMEOUT", Reason::QueueTimeout),
    ("EXECUTION_TIMEOUT", Reason::ExecutionTimeout),
    ("NO_WORKERS", Reason::NoWorkers),
    ("WORKER_CRASHED", Reason::WorkerCrashed),
    ("DRAINING", Reason::Draining),
];

impl Reason {
    /// Its name, as in docs/errors.md: `QUEUE_FULL`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => NAMES.iter().find(|(_, reason)| reason == known).map_or("", |(name, _)| name),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn reason(text: &str) -> Reason {
    let known = NAMES.iter().find(|(name, _)| *name == text);
    known.map_or_else(|| Reason::Other(text.to_owned()), |(_, reason)| reason.clone())
}

/// What became of a call that the arbiter did not answer.
fn unanswered(socket: &str, message: &str, sent: Sent) -> String {
    match sent {
        Sent::Never => {
            format!("no connection to dirtyd at {socket}: {message}; {}", remedy(message))
        }
        Sent::Refused | Sent::Perhaps => {
            format!("the connection to dirtyd at {socket} broke during the call: {message}")
        }
    }
}

/// What to do where no connection can be made.
fn remedy(message: &str) -> &'static str {
    match message.contains("ermission denied") {
        true => "this user may not open the socket; socket_mode and socket_group say who may",
        false => "is it running? start it with `dirtyd serve`",
    }
}

/// The innermost cause that a transport error names.
fn cause(status: &Status) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
    let mut text = status.message().to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
