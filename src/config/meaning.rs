//! What a configuration means: the types that the rest of the program sees.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    AccessEntry, ConfigError, DEFAULT_POOL, Hooks, Intensity, Limits, LogConfig, Observe,
    QueueLimits, Raw, Recycle, ReloadMode, Window,
    groups::{hooks::WorkerInit, worker::Worker},
    raw::{PoolKeys, RawApp, RawPool},
    table::Placed,
};

/// A complete, valid configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The path of the listening socket.
    pub socket: PathBuf,
    /// The file mode of the socket, such as `0o600`.
    pub socket_mode: u32,
    /// The group of the socket, if it is not that of the process.
    pub socket_gid: Option<u32>,
    /// Who may call and operate; empty leaves it to the file mode.
    pub access: Vec<AccessEntry>,
    /// The directory (0700) of PID files and locks.
    pub runtime_dir: PathBuf,
    /// The name of this instance; PID files derive from it.
    pub proc_name: String,
    /// How long calls and streams may go on after TERM before they are killed.
    pub graceful_timeout: Duration,
    /// How long a stream may go on in a worker that is replaced or not needed.
    pub drain_timeout: Duration,
    /// How long arbiter and workers look for the next message before they sleep;
    /// zero for not at all.
    pub busy_wait: Duration,
    /// The limits of the edge.
    pub limits: Limits,
    /// Origins whose pages may call; `*` for any.
    pub cors_origins: Vec<String>,
    /// How far a stream may run ahead of its reader.
    pub window: Window,
    /// Where and how to log.
    pub log: LogConfig,
    /// What operators see.
    pub observe: Observe,
    /// In which order a reload replaces workers.
    pub reload: ReloadMode,
    /// Commands to run at points of the life cycle.
    pub hooks: Hooks,
    /// The pools; at least one.
    pub pools: Vec<PoolConfig>,
    /// The keys that this means, to print and to compare.
    pub(super) written: Written,
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

/// Keys of a complete configuration. Two are the same if they mean the same, so
/// they are not compared: what they mean stands beside them.
#[derive(Debug, Clone)]
pub(super) struct Written(pub(super) Raw);

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Config {
    /// Completes and checks `raw`.
    ///
    /// # Errors
    /// Values that are out of range or contradict each other; the message names
    /// the key and the remedy.
    pub fn from_raw(raw: Raw) -> Result<Self, ConfigError> {
        let raw = raw.completed()?;
        let instance = &raw.instance;
        let hooks = raw.hooks.clone().unwrap_or_default();
        let apps = raw.app.as_deref().unwrap_or_default();
        let default =
            (!apps.is_empty()).then(|| pool(DEFAULT_POOL.to_owned(), &raw.top, &hooks.init, apps));
        let others = raw.pool.iter().flatten().map(|Placed { table, .. }| {
            let RawPool { named, keys, init, app } = table;
            let name = named.name.value.clone().unwrap_or_default();
            pool(name, keys, init, app.as_deref().unwrap_or_default())
        });
        Ok(Self {
            socket: instance.socket.value.clone().unwrap_or_default(),
            socket_mode: instance.socket_mode().0,
            socket_gid: instance.socket_gid(),
            access: raw.access.iter().flatten().map(|placed| placed.table.meaning()).collect(),
            runtime_dir: instance.runtime_dir.value.clone().unwrap_or_default(),
            proc_name: instance.proc_name(),
            graceful_timeout: instance.graceful_timeout().0,
            drain_timeout: instance.drain_timeout().0,
            busy_wait: instance.busy_wait().0,
            limits: raw.edge.meaning(),
            cors_origins: raw.edge.cors_origins.iter().flatten().cloned().collect(),
            window: raw.streams.meaning(),
            log: raw.log.meaning(),
            observe: raw.observe.clone().unwrap_or_default().meaning(raw.log.log_format()),
            reload: instance.reload(),
            hooks: hooks.commands.meaning(),
            pools: default.into_iter().chain(others).collect(),
            written: Written(raw),
        })
    }

    /// The file that this was read from, as it was named.
    pub fn file(&self) -> Option<&Path> {
        self.written.0.origin.path()
    }

    /// What is harmless, and hardly meant.
    pub fn warnings(&self) -> &[String] {
        &self.written.0.warnings
    }

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

fn pool(name: String, keys: &PoolKeys, init: &WorkerInit, apps: &[Placed<RawApp>]) -> PoolConfig {
    let PoolKeys { worker, process, calls: _, recycling, restarts } = keys;
    PoolConfig {
        name,
        command: worker.program(),
        env: environment(worker),
        chdir: process.chdir.value.clone().unwrap_or_default(),
        workers: worker.workers(),
        threads: NonZeroU32::new(worker.threads()).unwrap_or(NonZeroU32::MIN),
        boot_timeout: process.boot_timeout().0,
        kill_grace: process.kill_grace().0,
        heartbeat: process.heartbeat().0,
        worker_init: init.dirty_worker_init.value.clone(),
        recycle: recycling.meaning(),
        intensity: restarts.meaning(),
        apps: apps.iter().map(|placed| app(&placed.table)).collect(),
    }
}

fn app(raw: &RawApp) -> AppConfig {
    AppConfig {
        path: raw.own.path.as_ref().map(|flag| flag.path.clone()).unwrap_or_default(),
        workers: raw.own.workers.value,
        timeout: raw.calls.timeout().0,
        queue: raw.calls.queue(),
        recycle: raw.recycling.meaning(),
    }
}

/// The environment of a worker. The runtime for Python must not take a file of the
/// app's folder for one of its own modules; it removes the variable.
fn environment(worker: &Worker) -> BTreeMap<String, String> {
    let mut env = worker.env.value.clone().unwrap_or_default();
    if worker.command.is_none() {
        env.entry("PYTHONSAFEPATH".to_owned()).or_insert_with(|| "dirtyd".to_owned());
    }
    env
}
