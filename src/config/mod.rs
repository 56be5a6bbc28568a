//! The configuration, in two stages: [`raw`] is the shape of the file, the
//! environment and the flags; [`Config`] is what the rest of the program sees,
//! typed and complete. Nothing starts before the second stage has succeeded.
//!
//! A leaf: it knows no other module of the crate.

mod error;
mod paths;
mod raw;
mod units;
mod validate;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

pub use error::ConfigError;
pub use paths::config_dir_of;
pub use raw::{AppFlag, Flags, Raw};
pub use units::{parse_duration, parse_size};

/// The name of the pool that the top level of the configuration describes.
pub const DEFAULT_POOL: &str = "default";

/// A complete, valid configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The path of the listening socket.
    pub socket: PathBuf,
    /// The file mode of the socket, such as `0o600`.
    pub socket_mode: u32,
    /// The user ids that may connect; `None` leaves it to the file mode.
    pub allowed_uids: Option<Vec<u32>>,
    /// The directory (0700) of PID files and locks.
    pub runtime_dir: PathBuf,
    /// The name of this instance; PID files derive from it.
    pub proc_name: String,
    /// How long a drain may take before what still runs is killed.
    pub graceful_timeout: Duration,
    /// How long arbiter and workers look for the next message before they sleep;
    /// zero for not at all.
    pub busy_wait: Duration,
    /// The limits of the edge.
    pub limits: Limits,
    /// How far a stream may run ahead of its reader.
    pub window: Window,
    /// Where and how to log.
    pub log: LogConfig,
    /// In which order a reload replaces workers.
    pub reload: ReloadMode,
    /// Commands to run at points of the life cycle.
    pub hooks: Hooks,
    /// The pools; at least one.
    pub pools: Vec<PoolConfig>,
}

impl Config {
    /// The same, with a further variable in the environment of all workers and
    /// hooks.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        for pool in &mut self.pools {
            pool.env.insert(name.to_owned(), value.to_owned());
        }
        self.hooks.env.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// The limits of the edge: what one caller, or all of them, may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest request, result or chunk in bytes.
    pub max_message_size: usize,
    /// The largest header list of a request in bytes.
    pub max_header_size: u32,
    /// Calls at once per connection; a client queues further ones itself.
    pub max_concurrent_streams: u32,
    /// Connections at once.
    pub max_connections: usize,
}

/// How far a stream may run ahead of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// In chunks.
    pub chunks: u32,
    /// In bytes of payload; one chunk may exceed it.
    pub bytes: u64,
}

/// Where and how to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The file to append to; stderr if unset.
    pub file: Option<PathBuf>,
    /// One line of text or one JSON object per event.
    pub format: LogFormat,
    /// A `tracing` filter, such as `info` or `dirtyd::pool=debug`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// In which order a reload replaces a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReloadMode {
    /// The new worker is ready before the old one drains.
    Surge,
    /// The old worker drains first, where memory cannot hold two.
    Swap,
}

/// Commands to run at points of the life cycle; empty ones are not run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before the first worker starts.
    pub on_dirty_starting: Vec<String>,
    /// After a worker process was started.
    pub dirty_post_fork: Vec<String>,
    /// After a worker process ended.
    pub dirty_worker_exit: Vec<String>,
    /// How long one hook may run.
    pub timeout: Duration,
    /// Additions to their environment.
    pub env: BTreeMap<String, String>,
}

/// A set of worker processes with one command.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// Its name, unique; [`DEFAULT_POOL`] for the top level.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Additions to the environment.
    pub env: BTreeMap<String, String>,
    /// The working directory of the workers.
    pub chdir: PathBuf,
    /// How many workers to run; 0 runs nothing until scaled.
    pub workers: u32,
    /// How many calls one worker runs at once.
    pub threads: NonZeroU32,
    /// How long a worker may take from start to ready.
    pub boot_timeout: Duration,
    /// How long a timed-out call, or a worker asked to exit, may take to end.
    pub kill_grace: Duration,
    /// How often an idle worker is asked for a sign of life, and how long it
    /// may take to give one.
    pub heartbeat: Duration,
    /// An import path that each worker calls before it loads apps.
    pub worker_init: Option<String>,
    /// When to replace a worker that works.
    pub recycle: Recycle,
    /// When to give up for a while on workers that keep dying.
    pub intensity: Intensity,
    /// The apps that its workers load.
    pub apps: Vec<AppConfig>,
}

/// When to replace a worker that works; each rule is optional.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recycle {
    /// After so many calls.
    pub max_requests: Option<u64>,
    /// Up to so many calls more, drawn for each worker.
    pub max_requests_jitter: u64,
    /// After so long.
    pub max_lifetime: Option<Duration>,
    /// Above so many bytes of resident memory.
    pub max_memory: Option<u64>,
}

/// OTP's restart intensity: more than `max_restarts` deaths of a pool's
/// workers within `window` make the arbiter wait before the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// So many restarts are normal.
    pub max_restarts: u32,
    /// Within this time.
    pub window: Duration,
}

/// One app of a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct AppConfig {
    /// The name by which callers and the worker know it: an import path such
    /// as `myapp.ml:MLApp` for Python.
    pub path: String,
    /// In how many workers to load it; `None` leaves it to the class attribute
    /// `workers` and, without one, loads it in all.
    pub workers: Option<u32>,
    /// The dirty timeout of its calls.
    pub timeout: Duration,
    /// The limits of its queue.
    pub queue: QueueLimits,
    /// When to replace a worker because of it, beside what its pool says:
    /// requests are its own, the rest is of the whole worker.
    pub recycle: Recycle,
}

/// How much may wait for an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// So many calls (`max_queue`).
    pub calls: usize,
    /// So many bytes of requests, but always one call (`max_queue_bytes`);
    /// `None` leaves it to the number of calls.
    pub bytes: Option<u64>,
}
