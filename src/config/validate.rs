//! From [`Raw`] to [`Config`]: defaults, ranges, and what must hold between keys.

use std::{
    collections::{BTreeMap, HashSet},
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use dirtyd_client::default_runtime_dir;
use toml::Spanned;
use tracing_subscriber::EnvFilter;

use super::{
    AppConfig, Config, ConfigError, DEFAULT_POOL, Hooks, Intensity, Limits, LogConfig, LogFormat,
    PoolConfig, QueueLimits, Recycle, ReloadMode, Window, config_dir_of,
    raw::{Raw, RawApp, RawHooks, RawPool, Source},
    units::{Seconds, Size},
};

const MIB: u64 = 1024 * 1024;
/// Long enough for the next message of a small call.
const BUSY_WAIT: Duration = Duration::from_micros(100);

/// Values of the top level that pools and apps inherit.
struct Defaults {
    timeout: Duration,
    boot_timeout: Duration,
    kill_grace: Duration,
    heartbeat: Duration,
    queue: QueueLimits,
    recycle: Recycle,
    intensity: Intensity,
    worker_init: Option<String>,
    chdir: PathBuf,
}

impl Config {
    /// Completes and checks `raw`.
    ///
    /// # Errors
    /// Values that are out of range or contradict each other; the message names
    /// the key and the remedy.
    pub fn from_raw(raw: Raw) -> Result<Self, ConfigError> {
        let source = raw.source.clone();
        let base = config_dir_of(source.path());
        let defaults = Defaults::of(&raw, &base)?;
        let pools = pools(&raw, &defaults, &base, &source)?;
        let socket = raw.socket.as_ref().map(|path| base.join(path));
        let runtime_dir = match (&raw.runtime_dir, &socket) {
            (Some(dir), _) => base.join(dir),
            (None, Some(socket)) => socket.parent().unwrap_or(Path::new("/")).to_owned(),
            (None, None) => default_runtime_dir(),
        };
        let socket = socket.unwrap_or_else(|| runtime_dir.join("dirtyd.sock"));
        if socket.as_os_str().len() > 107 {
            return invalid(format!(
                "socket: `{}` is longer than the 107 bytes that the kernel allows; choose a shorter path",
                socket.display()
            ));
        }
        Ok(Self {
            socket,
            socket_mode: raw.socket_mode.map_or(0o600, |mode| mode.0),
            allowed_uids: raw.allowed_uids.clone(),
            runtime_dir,
            proc_name: proc_name(raw.proc_name.as_deref())?,
            graceful_timeout: seconds(raw.graceful_timeout, 30),
            busy_wait: busy_wait(raw.busy_wait)?,
            limits: limits(&raw)?,
            window: window(&raw)?,
            log: LogConfig {
                file: raw.log_file.as_ref().map(|path| base.join(path)),
                format: raw.log_format.unwrap_or(LogFormat::Text),
                filter: log_filter(raw.log_filter.as_deref())?,
            },
            reload: raw.reload.unwrap_or(ReloadMode::Surge),
            hooks: hooks(raw.hooks.as_ref()),
            pools,
        })
    }
}

/// A limit that 0 switches off, and that is inherited if it is not set.
fn or_off<T: Default + PartialEq>(own: Option<T>, inherited: Option<T>) -> Option<T> {
    own.or(inherited).filter(|limit| *limit != T::default())
}

impl Defaults {
    fn of(raw: &Raw, base: &Path) -> Result<Self, ConfigError> {
        let hooks = raw.hooks.as_ref();
        Ok(Self {
            timeout: above_zero("timeout", seconds(raw.timeout, 300))?,
            boot_timeout: above_zero("boot_timeout", seconds(raw.boot_timeout, 120))?,
            kill_grace: seconds(raw.kill_grace, 2),
            heartbeat: above_zero("heartbeat", seconds(raw.heartbeat, 30))?,
            queue: QueueLimits { calls: 1024, bytes: Some(256 * MIB) }
                .overlaid_with(raw.max_queue, raw.max_queue_bytes),
            recycle: Recycle {
                max_requests: or_off(raw.max_requests, None),
                max_requests_jitter: raw.max_requests_jitter.unwrap_or(0),
                max_lifetime: or_off(raw.max_lifetime.map(|d| d.0), None),
                max_memory: or_off(raw.max_memory.map(|s| s.0), None),
            },
            intensity: Intensity {
                max_restarts: raw.max_restarts.unwrap_or(10),
                window: above_zero("restart_window", seconds(raw.restart_window, 60))?,
            },
            worker_init: hooks.and_then(|hooks| hooks.dirty_worker_init.clone()),
            chdir: raw.chdir.as_ref().map_or_else(|| base.to_owned(), |dir| base.join(dir)),
        })
    }
}

impl QueueLimits {
    /// These limits, with those that are written over them; 0 bytes are no limit.
    fn overlaid_with(self, calls: Option<u32>, bytes: Option<Size>) -> Self {
        Self {
            calls: calls.map_or(self.calls, |n| n as usize),
            bytes: bytes.map_or(self.bytes, |size| Some(size.0).filter(|n| *n > 0)),
        }
    }
}

fn limits(raw: &Raw) -> Result<Limits, ConfigError> {
    let message = at_least("max_message_size", size(raw.max_message_size, 64 * MIB), 1024)?;
    if message > 2048 * MIB {
        return invalid("max_message_size: at most 2GiB, the limit of protobuf".to_owned());
    }
    let header = at_least("max_header_size", size(raw.max_header_size, 16 * 1024), 1024)?;
    if header > 512 * 1024 {
        return invalid("max_header_size: at most 512KiB".to_owned());
    }
    let connections = at_least("max_connections", raw.max_connections.unwrap_or(1024), 1)?;
    Ok(Limits {
        max_message_size: message as usize,
        max_header_size: header as u32,
        max_concurrent_streams: at_least(
            "max_concurrent_streams",
            raw.max_concurrent_streams.unwrap_or(1024),
            1,
        )?,
        max_connections: connections as usize,
    })
}

fn busy_wait(raw: Option<Seconds>) -> Result<Duration, ConfigError> {
    let window = raw.map_or(BUSY_WAIT, |window| window.0);
    if window > Duration::from_millis(10) {
        return invalid(
            "busy_wait: at most 10ms: it is there to save what a wake-up takes".to_owned(),
        );
    }
    Ok(window)
}

fn window(raw: &Raw) -> Result<Window, ConfigError> {
    let bytes = at_least("stream_window_bytes", size(raw.stream_window_bytes, MIB), 1)?;
    if bytes > MIB * MIB {
        return invalid("stream_window_bytes: at most 1TiB".to_owned());
    }
    let chunks = at_least("stream_window", raw.stream_window.unwrap_or(32), 1)?;
    Ok(Window { chunks, bytes })
}

/// What can be parsed only by who uses it is tried here, so that `check` finds it.
fn log_filter(filter: Option<&str>) -> Result<String, ConfigError> {
    let filter = filter.unwrap_or("info");
    if let Err(error) = EnvFilter::try_new(filter) {
        return invalid(format!(
            "log_filter: `{filter}`: {error}; write it like \"info\" or \"dirtyd::pool=debug\""
        ));
    }
    Ok(filter.to_owned())
}

fn hooks(raw: Option<&RawHooks>) -> Hooks {
    let raw = raw.cloned().unwrap_or_default();
    Hooks {
        on_dirty_starting: raw.on_dirty_starting.unwrap_or_default(),
        dirty_post_fork: raw.dirty_post_fork.unwrap_or_default(),
        dirty_worker_exit: raw.dirty_worker_exit.unwrap_or_default(),
        timeout: seconds(raw.timeout, 10),
        env: BTreeMap::new(),
    }
}

fn pools(
    raw: &Raw,
    defaults: &Defaults,
    base: &Path,
    source: &Source,
) -> Result<Vec<PoolConfig>, ConfigError> {
    let mut pools = Vec::new();
    let default = default_pool(raw);
    let has_apps = default.app.as_ref().is_some_and(|apps| !apps.is_empty());
    let others = raw.pool.as_deref().unwrap_or_default();
    if has_apps {
        pools.push(pool(DEFAULT_POOL.to_owned(), &default, defaults, base, source)?);
    } else if others.is_empty() {
        return invalid(
            "no app is configured: give --app module:Class, or write an [[app]] with a path"
                .to_owned(),
        );
    }
    for spanned in others {
        let place = source.place(&spanned.span());
        let raw = spanned.get_ref();
        let Some(name) = raw.name.clone().filter(|name| !name.is_empty()) else {
            return invalid_at(place, "pool: `name` is missing".to_owned());
        };
        if raw.app.as_ref().is_none_or(Vec::is_empty) {
            return invalid_at(place, format!("pool `{name}`: it has no [[pool.app]]"));
        }
        if name == DEFAULT_POOL || pools.iter().any(|pool: &PoolConfig| pool.name == name) {
            return invalid_at(place, format!("pool `{name}`: the name is taken"));
        }
        pools.push(pool(name, raw, defaults, base, source)?);
    }
    let mut seen = HashSet::new();
    for app in pools.iter().flat_map(|pool| &pool.apps) {
        if !seen.insert(app.path.as_str()) {
            return invalid(format!(
                "app `{}`: it is configured twice; callers name apps by path, so each path may stand in one pool, once",
                app.path
            ));
        }
    }
    Ok(pools)
}

/// The default pool as the top level of the file describes it.
fn default_pool(raw: &Raw) -> RawPool {
    let bare =
        raw.dirty_apps.iter().flatten().map(|flag| Spanned::new(0..0, RawApp::of(flag.clone())));
    let apps = bare.chain(raw.app.iter().flatten().cloned()).collect();
    RawPool {
        command: raw.command.clone(),
        python: raw.python.clone(),
        env: raw.env.clone(),
        workers: raw.workers,
        threads: raw.threads,
        app: Some(apps),
        ..RawPool::default()
    }
}

fn pool(
    name: String,
    raw: &RawPool,
    defaults: &Defaults,
    base: &Path,
    source: &Source,
) -> Result<PoolConfig, ConfigError> {
    let key = |key: &str| format!("pool `{name}`: {key}");
    let positive = |name: &str, own: Option<Seconds>, inherited| {
        above_zero(&key(name), own.map_or(inherited, |d| d.0))
    };
    let workers = raw.workers.unwrap_or(1);
    let Some(threads) = NonZeroU32::new(raw.threads.unwrap_or(1)) else {
        return invalid(format!("{}: at least 1", key("threads")));
    };
    if workers > 4096 || threads.get() > 4096 {
        return invalid(format!("{}: at most 4096", key("workers, threads")));
    }
    let timeout = raw.timeout.map_or(defaults.timeout, |d| d.0);
    let queue = defaults.queue.overlaid_with(raw.max_queue, raw.max_queue_bytes);
    let apps = raw
        .app
        .iter()
        .flatten()
        .map(|spanned| {
            let place = source.place(&spanned.span());
            app(spanned.get_ref(), workers, timeout, queue, place)
        })
        .collect::<Result<_, _>>()?;
    let inherited = defaults.recycle;
    Ok(PoolConfig {
        command: command(raw, base).ok_or_else(|| ConfigError::Invalid {
            place: String::new(),
            message: format!(
                "{}: it is empty; write the program and its arguments",
                key("command")
            ),
        })?,
        env: raw.env.clone().unwrap_or_default(),
        chdir: raw.chdir.as_ref().map_or_else(|| defaults.chdir.clone(), |dir| base.join(dir)),
        workers,
        threads,
        boot_timeout: positive("boot_timeout", raw.boot_timeout, defaults.boot_timeout)?,
        kill_grace: raw.kill_grace.map_or(defaults.kill_grace, |d| d.0),
        heartbeat: positive("heartbeat", raw.heartbeat, defaults.heartbeat)?,
        worker_init: raw.dirty_worker_init.clone().or_else(|| defaults.worker_init.clone()),
        recycle: Recycle {
            max_requests: or_off(raw.max_requests, inherited.max_requests),
            max_requests_jitter: raw.max_requests_jitter.unwrap_or(inherited.max_requests_jitter),
            max_lifetime: or_off(raw.max_lifetime.map(|d| d.0), inherited.max_lifetime),
            max_memory: or_off(raw.max_memory.map(|s| s.0), inherited.max_memory),
        },
        intensity: Intensity {
            max_restarts: raw.max_restarts.unwrap_or(defaults.intensity.max_restarts),
            window: positive("restart_window", raw.restart_window, defaults.intensity.window)?,
        },
        apps,
        name,
    })
}

fn app(
    raw: &RawApp,
    pool_workers: u32,
    timeout: Duration,
    queue: QueueLimits,
    place: String,
) -> Result<AppConfig, ConfigError> {
    let path = raw.path.path.clone();
    let workers = match (raw.workers, raw.path.workers) {
        (Some(key), Some(suffix)) if key != suffix => {
            let message = format!(
                "app `{path}`: `workers = {key}` contradicts the `:{suffix}` of the path; keep one"
            );
            return invalid_at(place, message);
        }
        (key, suffix) => key.or(suffix),
    };
    if workers == Some(0) {
        return invalid_at(place, format!("app `{path}`: workers: at least 1, or leave it out"));
    }
    // A pool of 0 waits to be scaled; it cannot promise anything yet.
    if let Some(wanted) = workers.filter(|wanted| *wanted > pool_workers && pool_workers > 0) {
        let message = format!(
            "app `{path}`: workers = {wanted}, but its pool has {pool_workers}; raise the pool's workers or lower the app's"
        );
        return invalid_at(place, message);
    }
    Ok(AppConfig {
        workers,
        timeout: above_zero("timeout", raw.timeout.map_or(timeout, |d| d.0))?,
        queue: queue.overlaid_with(raw.max_queue, raw.max_queue_bytes),
        recycle: Recycle {
            max_requests: or_off(raw.max_requests, None),
            max_requests_jitter: raw.max_requests_jitter.unwrap_or(0),
            max_lifetime: or_off(raw.max_lifetime.map(|d| d.0), None),
            max_memory: or_off(raw.max_memory.map(|s| s.0), None),
        },
        path,
    })
}

/// The command of a pool: its own, or the Python worker runtime. A program
/// with a slash is found from the configuration's folder, another on PATH.
fn command(raw: &RawPool, base: &Path) -> Option<Vec<String>> {
    let located = |program: &str| match program.contains('/') {
        true => base.join(program).to_string_lossy().into_owned(),
        false => program.to_owned(),
    };
    let Some(command) = &raw.command else {
        let python = raw.python.as_deref().unwrap_or(Path::new("python3"));
        let python = located(&python.to_string_lossy());
        return Some(vec![python, "-m".to_owned(), "dirtyd.worker".to_owned()]);
    };
    let (program, arguments) = command.split_first()?;
    Some([located(program)].into_iter().chain(arguments.iter().cloned()).collect())
}

fn proc_name(name: Option<&str>) -> Result<String, ConfigError> {
    let name = name.unwrap_or("dirtyd");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) || name.starts_with('.') {
        return invalid(format!(
            "proc_name: `{name}` must be 1 to 64 letters, digits, `-`, `_` or `.`, because PID files are named after it"
        ));
    }
    Ok(name.to_owned())
}

fn seconds(value: Option<Seconds>, default: u64) -> Duration {
    value.map_or(Duration::from_secs(default), |d| d.0)
}

fn size(value: Option<Size>, default: u64) -> u64 {
    value.map_or(default, |s| s.0)
}

fn above_zero(key: &str, value: Duration) -> Result<Duration, ConfigError> {
    if value.is_zero() {
        return invalid(format!("{key}: it must be longer than 0s"));
    }
    Ok(value)
}

fn at_least<T: PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    least: T,
) -> Result<T, ConfigError> {
    if value < least {
        return invalid(format!("{key}: it is {value}, but must be at least {least}"));
    }
    Ok(value)
}

fn invalid<T>(message: String) -> Result<T, ConfigError> {
    invalid_at(String::new(), message)
}

fn invalid_at<T>(place: String, message: String) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid { place, message })
}
