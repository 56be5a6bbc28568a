//! The shape of the configuration file, the environment and the flags: every
//! key optional, nothing checked beyond its own type.

use std::{
    collections::BTreeMap,
    env, fs,
    ops::Range,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::Deserialize;
use toml::Spanned;

use super::{
    ConfigError, LogFormat, ReloadMode,
    units::{Mode, Seconds, Size},
};

/// All keys that may be written. One type serves file, environment and flags,
/// so that a later source simply overlays an earlier one.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    pub(super) socket: Option<PathBuf>,
    pub(super) socket_mode: Option<Mode>,
    pub(super) allowed_uids: Option<Vec<u32>>,
    pub(super) runtime_dir: Option<PathBuf>,
    pub(super) proc_name: Option<String>,
    #[serde(alias = "dirty_graceful_timeout")]
    pub(super) graceful_timeout: Option<Seconds>,
    pub(super) busy_wait: Option<Seconds>,
    pub(super) max_message_size: Option<Size>,
    pub(super) max_header_size: Option<Size>,
    pub(super) max_concurrent_streams: Option<u32>,
    pub(super) max_connections: Option<u32>,
    pub(super) stream_window: Option<u32>,
    pub(super) stream_window_bytes: Option<Size>,
    pub(super) log_file: Option<PathBuf>,
    pub(super) log_format: Option<LogFormat>,
    pub(super) log_filter: Option<String>,
    pub(super) reload: Option<ReloadMode>,
    pub(super) hooks: Option<RawHooks>,
    pub(super) python: Option<PathBuf>,
    /// gunicorn's `dirty_apps`: bare import paths.
    pub(super) dirty_apps: Option<Vec<AppFlag>>,
    pub(super) pool: Option<Vec<Spanned<RawPool>>>,
    // The keys of the default pool, and defaults for the others. They stand
    // here and not in a flattened struct because serde loses both unknown keys
    // and spans in flattened ones.
    pub(super) command: Option<Vec<String>>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) chdir: Option<PathBuf>,
    #[serde(alias = "dirty_workers")]
    pub(super) workers: Option<u32>,
    #[serde(alias = "dirty_threads")]
    pub(super) threads: Option<u32>,
    #[serde(alias = "dirty_timeout")]
    pub(super) timeout: Option<Seconds>,
    pub(super) boot_timeout: Option<Seconds>,
    pub(super) kill_grace: Option<Seconds>,
    pub(super) heartbeat: Option<Seconds>,
    pub(super) max_queue: Option<u32>,
    pub(super) max_queue_bytes: Option<Size>,
    pub(super) max_requests: Option<u64>,
    pub(super) max_requests_jitter: Option<u64>,
    pub(super) max_lifetime: Option<Seconds>,
    pub(super) max_memory: Option<Size>,
    pub(super) max_restarts: Option<u32>,
    pub(super) restart_window: Option<Seconds>,
    pub(super) app: Option<Vec<Spanned<RawApp>>>,
    /// The file that all this came from, for messages.
    #[serde(skip)]
    pub(super) source: Source,
}

/// `[[pool]]`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawPool {
    pub(super) name: Option<String>,
    pub(super) command: Option<Vec<String>>,
    pub(super) python: Option<PathBuf>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) chdir: Option<PathBuf>,
    pub(super) workers: Option<u32>,
    pub(super) threads: Option<u32>,
    pub(super) timeout: Option<Seconds>,
    pub(super) boot_timeout: Option<Seconds>,
    pub(super) kill_grace: Option<Seconds>,
    pub(super) heartbeat: Option<Seconds>,
    pub(super) max_queue: Option<u32>,
    pub(super) max_queue_bytes: Option<Size>,
    pub(super) max_requests: Option<u64>,
    pub(super) max_requests_jitter: Option<u64>,
    pub(super) max_lifetime: Option<Seconds>,
    pub(super) max_memory: Option<Size>,
    pub(super) max_restarts: Option<u32>,
    pub(super) restart_window: Option<Seconds>,
    pub(super) dirty_worker_init: Option<String>,
    pub(super) app: Option<Vec<Spanned<RawApp>>>,
}

/// `[[app]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawApp {
    pub(super) path: AppFlag,
    pub(super) workers: Option<u32>,
    pub(super) timeout: Option<Seconds>,
    pub(super) max_queue: Option<u32>,
    pub(super) max_queue_bytes: Option<Size>,
    pub(super) max_requests: Option<u64>,
    pub(super) max_requests_jitter: Option<u64>,
    pub(super) max_lifetime: Option<Seconds>,
    pub(super) max_memory: Option<Size>,
}

impl RawApp {
    /// An app of which only the path is written.
    pub(super) fn of(path: AppFlag) -> Self {
        Self {
            path,
            workers: None,
            timeout: None,
            max_queue: None,
            max_queue_bytes: None,
            max_requests: None,
            max_requests_jitter: None,
            max_lifetime: None,
            max_memory: None,
        }
    }
}

/// `[hooks]`.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawHooks {
    pub(super) on_dirty_starting: Option<Vec<String>>,
    pub(super) dirty_post_fork: Option<Vec<String>>,
    pub(super) dirty_worker_init: Option<String>,
    pub(super) dirty_worker_exit: Option<Vec<String>>,
    pub(super) timeout: Option<Seconds>,
}

/// An app as `--app` and `path` write it: `NAME`, `module:Class` or
/// `module:Class:N`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AppFlag {
    /// The import path.
    pub path: String,
    /// The `:N`, if written.
    pub workers: Option<u32>,
}

impl FromStr for AppFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, workers) = match text.rsplit_once(':') {
            Some((path, count)) if count.starts_with(|c: char| c.is_ascii_digit()) => {
                let count = count.parse().map_err(|_| {
                    format!("`{text}`: `{count}` is not a number of workers; write PATH:N")
                })?;
                (path, Some(count))
            }
            _ => (text, None),
        };
        if path.is_empty() || path.len() > 255 || path.contains(char::is_whitespace) {
            return Err(format!(
                "`{text}` is not an app: write an import path such as \"myapp.ml:MLApp\", of at most 255 bytes"
            ));
        }
        if workers == Some(0) {
            return Err(format!("`{text}`: an app needs at least 1 worker"));
        }
        Ok(Self { path: path.to_owned(), workers })
    }
}

impl TryFrom<String> for AppFlag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where a [`Raw`] came from; turns spans into lines.
#[derive(Debug, Default, Clone)]
pub(super) struct Source {
    path: Option<PathBuf>,
    text: String,
}

impl Source {
    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// "FILE, line N: ", or nothing for values that stand in no file.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let Some(path) = &self.path else { return String::new() };
        let before = self.text.get(..span.start).unwrap_or_default();
        format!("{}, line {}: ", path.display(), before.matches('\n').count() + 1)
    }
}

impl Raw {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// The file is unreadable, not TOML, or has unknown keys or wrong types.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::from_text(path, text)
    }

    /// Reads the text of the TOML file at `path`.
    ///
    /// # Errors
    /// It is not TOML, or has unknown keys or wrong types.
    pub fn from_text(path: &Path, text: String) -> Result<Self, ConfigError> {
        let mut raw: Self = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        raw.source = Source { path: Some(path.to_owned()), text };
        Ok(raw)
    }

    /// The text of the file that this came from.
    pub fn text(&self) -> Option<&str> {
        self.source.path.as_ref().map(|_| self.source.text.as_str())
    }

    /// Reads `DIRTYD_*` of the given environment: `DIRTYD_MAX_QUEUE=64` is the
    /// key `max_queue`. Keys that hold tables have no variable.
    ///
    /// # Errors
    /// A value is not of the type of its key.
    pub fn from_env(vars: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut raw = Self::default();
        for (name, value) in vars {
            let Some(key) = name.strip_prefix("DIRTYD_").map(str::to_lowercase) else { continue };
            if !ENV_KEYS.contains(&key.as_str()) {
                continue;
            }
            let quoted = toml::Value::String(value.clone());
            let parsed = toml::from_str::<Self>(&format!("{key} = {value}"))
                .or_else(|first| toml::from_str(&format!("{key} = {quoted}")).map_err(|_| first));
            match parsed {
                Ok(one) => raw = raw.overlaid_with(one),
                Err(error) => {
                    let message = error.message().to_owned();
                    return Err(ConfigError::Environment { name, value, message });
                }
            }
        }
        Ok(raw)
    }

    /// The environment of this process.
    ///
    /// # Errors
    /// As [`Raw::from_env`].
    pub fn from_process_env() -> Result<Self, ConfigError> {
        Self::from_env(
            env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// These values, with every value that `over` has put over them.
    #[must_use]
    pub fn overlaid_with(self, over: Self) -> Self {
        // A later list of apps replaces an earlier one, in whichever form.
        let (dirty_apps, app) = match over.dirty_apps.is_some() || over.app.is_some() {
            true => (over.dirty_apps, over.app),
            false => (self.dirty_apps, self.app),
        };
        Self {
            socket: over.socket.or(self.socket),
            socket_mode: over.socket_mode.or(self.socket_mode),
            allowed_uids: over.allowed_uids.or(self.allowed_uids),
            runtime_dir: over.runtime_dir.or(self.runtime_dir),
            proc_name: over.proc_name.or(self.proc_name),
            graceful_timeout: over.graceful_timeout.or(self.graceful_timeout),
            busy_wait: over.busy_wait.or(self.busy_wait),
            max_message_size: over.max_message_size.or(self.max_message_size),
            max_header_size: over.max_header_size.or(self.max_header_size),
            max_concurrent_streams: over.max_concurrent_streams.or(self.max_concurrent_streams),
            max_connections: over.max_connections.or(self.max_connections),
            stream_window: over.stream_window.or(self.stream_window),
            stream_window_bytes: over.stream_window_bytes.or(self.stream_window_bytes),
            log_file: over.log_file.or(self.log_file),
            log_format: over.log_format.or(self.log_format),
            log_filter: over.log_filter.or(self.log_filter),
            reload: over.reload.or(self.reload),
            hooks: over.hooks.or(self.hooks),
            python: over.python.or(self.python),
            dirty_apps,
            pool: over.pool.or(self.pool),
            command: over.command.or(self.command),
            env: over.env.or(self.env),
            chdir: over.chdir.or(self.chdir),
            workers: over.workers.or(self.workers),
            threads: over.threads.or(self.threads),
            timeout: over.timeout.or(self.timeout),
            boot_timeout: over.boot_timeout.or(self.boot_timeout),
            kill_grace: over.kill_grace.or(self.kill_grace),
            heartbeat: over.heartbeat.or(self.heartbeat),
            max_queue: over.max_queue.or(self.max_queue),
            max_queue_bytes: over.max_queue_bytes.or(self.max_queue_bytes),
            max_requests: over.max_requests.or(self.max_requests),
            max_requests_jitter: over.max_requests_jitter.or(self.max_requests_jitter),
            max_lifetime: over.max_lifetime.or(self.max_lifetime),
            max_memory: over.max_memory.or(self.max_memory),
            max_restarts: over.max_restarts.or(self.max_restarts),
            restart_window: over.restart_window.or(self.restart_window),
            app,
            source: if self.source.path.is_some() { self.source } else { over.source },
        }
    }

    /// The values of the flags of `dirtyd serve`.
    pub fn from_flags(flags: Flags) -> Self {
        Self {
            socket: flags.socket,
            proc_name: flags.proc_name,
            workers: flags.workers,
            threads: flags.threads,
            timeout: flags.timeout.map(Seconds),
            graceful_timeout: flags.graceful_timeout.map(Seconds),
            dirty_apps: (!flags.apps.is_empty()).then_some(flags.apps),
            ..Self::default()
        }
    }
}

/// The flags of `dirtyd serve` that are configuration.
#[derive(Debug, Default, Clone)]
pub struct Flags {
    /// `--app PATH[:N]`, repeated: the apps of the default pool.
    pub apps: Vec<AppFlag>,
    /// `--workers`.
    pub workers: Option<u32>,
    /// `--threads`.
    pub threads: Option<u32>,
    /// `--timeout`.
    pub timeout: Option<std::time::Duration>,
    /// `--graceful-timeout`.
    pub graceful_timeout: Option<std::time::Duration>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--proc-name`.
    pub proc_name: Option<String>,
}

/// The keys that the environment can set. `DIRTYD_SOCKET` is among them on
/// purpose: one variable serves the daemon and its clients.
const ENV_KEYS: [&str; 35] = [
    "socket",
    "socket_mode",
    "allowed_uids",
    "runtime_dir",
    "proc_name",
    "graceful_timeout",
    "busy_wait",
    "max_message_size",
    "max_header_size",
    "max_concurrent_streams",
    "max_connections",
    "stream_window",
    "stream_window_bytes",
    "log_file",
    "log_format",
    "log_filter",
    "reload",
    "python",
    "dirty_apps",
    "command",
    "chdir",
    "workers",
    "threads",
    "timeout",
    "boot_timeout",
    "kill_grace",
    "heartbeat",
    "max_queue",
    "max_queue_bytes",
    "max_requests",
    "max_requests_jitter",
    "max_lifetime",
    "max_memory",
    "max_restarts",
    "restart_window",
];
