//! Inheritance: every pool and app gets the keys that hold for it, every path
//! becomes absolute. What must hold between keys is checked here. Defaults are
//! not filled in: each key knows its own.

use std::{
    collections::HashSet,
    env, fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use dirtyd_client::default_runtime_dir;

use super::{
    AppFlag, ConfigError, DEFAULT_POOL,
    error::NO_APP,
    groups::{
        access::Access, hooks::WorkerInit, instance::Instance, log::Log, observe::Observed,
        worker::Worker,
    },
    place::Place,
    raw::{PoolKeys, Raw, RawApp, RawPool},
    slot::Slot,
    table::{Overlay, Placed},
};

/// The longest path of a Unix socket in bytes.
const SOCKET_PATH: usize = 107;

impl Raw {
    /// The same configuration with nothing left to inherit or to resolve.
    ///
    /// # Errors
    /// Values that contradict each other; the message names the key and the remedy.
    pub(super) fn completed(self) -> Result<Self, ConfigError> {
        let base = self.base();
        let init = self.hooks.as_ref().map(|hooks| hooks.init.clone()).unwrap_or_default();
        let mut pool = Vec::new();
        for placed in self.pool.into_iter().flatten() {
            pool.push(complete_pool(placed, &self.top, &init, &base)?);
        }
        let Slot { value: bare, place, .. } = self.bare.dirty_apps;
        let bare = bare.into_iter().flatten().map(|path| RawApp::of(path, &place));
        let apps: Vec<_> = bare.chain(self.app.into_iter().flatten()).collect();
        if apps.is_empty() && pool.is_empty() {
            return invalid(&self.origin.whole(), NO_APP);
        }
        // Without apps there is no default pool, and its keys have been inherited.
        let top = match apps.is_empty() {
            true => PoolKeys::default(),
            false => located(&self.top, &base),
        };
        let app = apps.into_iter().map(|app| complete_app(app, &top)).collect::<Result<_, _>>()?;
        let complete = Self {
            access: complete_access(&self.instance, self.access)?,
            instance: complete_instance(&self.instance, &base)?,
            log: Log { log_file: self.log.log_file.map_value(|file| base.join(file)), ..self.log },
            top,
            bare: Default::default(),
            app: Some(app),
            pool: Some(pool),
            observe: complete_observe(self.observe, &base, &self.origin.whole())?,
            folder: None,
            ..self
        };
        complete.check_names()?;
        Ok(complete)
    }

    /// The folder against which relative paths resolve: the file's.
    fn base(&self) -> PathBuf {
        let folder = self.folder.clone().or_else(|| env::current_dir().ok());
        let folder = folder.unwrap_or_else(|| PathBuf::from("/"));
        match self.origin.path().and_then(Path::parent) {
            Some(parent) if !parent.as_os_str().is_empty() => folder.join(parent),
            _ => folder,
        }
    }

    /// Each pool and each app has a name of its own.
    fn check_names(&self) -> Result<(), ConfigError> {
        let mut pools = HashSet::from([DEFAULT_POOL]);
        for Placed { place, table } in self.pool.iter().flatten() {
            let name = table.named.name.as_deref().unwrap_or_default();
            if !pools.insert(name) {
                return invalid(
                    place,
                    &format!("pool `{name}`: another pool has this name; rename one"),
                );
            }
        }
        let mut paths = HashSet::new();
        let others = self.pool.iter().flatten().flat_map(|pool| &pool.table.app);
        for Placed { place, table } in self.app.iter().chain(others).flatten() {
            let path = table.own.path.as_ref().map_or("", |path| &path.path);
            if !paths.insert(path) {
                return invalid(
                    place,
                    &format!(
                        "app `{path}`: it is configured twice; callers name apps by path, so use each path only once"
                    ),
                );
            }
        }
        Ok(())
    }
}

/// The entries, in which `allowed_uids` is one.
fn complete_access(
    instance: &Instance,
    entries: Option<Vec<Placed<Access>>>,
) -> Result<Option<Vec<Placed<Access>>>, ConfigError> {
    for Placed { place, table } in entries.iter().flatten() {
        if !table.names_anybody() {
            return invalid(
                place,
                "access: the entry matches no one; give `uids`, `users` or `groups`",
            );
        }
    }
    let listed = &instance.allowed_uids;
    match (&listed.value, entries) {
        (Some(_), Some(entries)) if !entries.is_empty() => invalid(
            &entries[0].place,
            "access: `allowed_uids` is the short form of an [[access]] entry; keep one of the two",
        ),
        (Some(uids), _) => {
            let uids = Slot::at(listed.place.clone(), uids.clone());
            let table = Access { uids, ..Access::default() };
            Ok(Some(vec![Placed { place: listed.place.clone(), table }]))
        }
        (None, entries) => Ok(entries),
    }
}

fn complete_instance(instance: &Instance, base: &Path) -> Result<Instance, ConfigError> {
    let mut socket = instance.socket.clone().map_value(|path| base.join(path));
    let mut runtime_dir = instance.runtime_dir.clone().map_value(|dir| base.join(dir));
    let dir = runtime_dir.get_or_insert_with(|| match socket.as_deref().and_then(Path::parent) {
        // Others could put files there, which would be taken for those of this one.
        Some(own) if !is_shared(own) => own.to_owned(),
        _ => default_runtime_dir(),
    });
    let path = socket.get_or_insert_with(|| dir.join("dirtyd.sock"));
    if path.as_os_str().len() > SOCKET_PATH {
        return invalid(
            &instance.socket.place,
            &format!(
                "socket: `{}` is longer than the {SOCKET_PATH} bytes that the kernel allows; choose a shorter path",
                path.display()
            ),
        );
    }
    // What it means stands in the entries of `access` now.
    let allowed_uids = Slot::default();
    Ok(Instance { socket, runtime_dir, allowed_uids, ..instance.clone() })
}

fn complete_observe(
    observe: Option<Observed>,
    base: &Path,
    whole: &Place,
) -> Result<Option<Observed>, ConfigError> {
    let Some(observe) = observe.map(|observe| observe.located(base)) else { return Ok(None) };
    if observe.operates_openly() {
        let message = "observe: with `operate` anybody on this machine could restart workers; listen on a Unix socket, or give a `token_file`";
        return invalid(whole, message);
    }
    Ok(Some(observe))
}

/// Whether others than its owner may write into a folder, as into `/tmp`.
fn is_shared(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o022 != 0)
}

/// The same with paths that mean the same from anywhere.
fn located(keys: &PoolKeys, base: &Path) -> PoolKeys {
    let mut keys = keys.clone();
    let chdir = &mut keys.process.chdir.value;
    *chdir = Some(chdir.as_ref().map_or_else(|| base.to_owned(), |dir| base.join(dir)));
    keys.worker = keys.worker.located(base);
    keys
}

fn complete_pool(
    pool: Placed<RawPool>,
    top: &PoolKeys,
    init: &WorkerInit,
    base: &Path,
) -> Result<Placed<RawPool>, ConfigError> {
    let Placed { place, table: raw } = pool;
    let Some(name) = raw.named.name.as_deref().filter(|name| !name.is_empty()) else {
        return invalid(&place, "pool: `name` is missing");
    };
    let apps = raw.app.unwrap_or_default();
    if apps.is_empty() {
        return invalid(&place, &format!("pool `{name}`: it has no [[pool.app]]"));
    }
    let inherited = PoolKeys { worker: Worker::default(), ..top.clone() };
    let keys = located(&inherited.overlaid_with(&raw.keys), base);
    let app = apps.into_iter().map(|app| complete_app(app, &keys)).collect::<Result<_, _>>()?;
    let init = init.overlaid_with(&raw.init);
    Ok(Placed { place, table: RawPool { named: raw.named, keys, init, app: Some(app) } })
}

fn complete_app(app: Placed<RawApp>, pool: &PoolKeys) -> Result<Placed<RawApp>, ConfigError> {
    let Placed { place, table: mut raw } = app;
    let Some(AppFlag { path, workers: suffix }) = raw.own.path.value.take() else {
        return invalid(&place, "app: `path` is missing");
    };
    if pool.worker.command.is_none() {
        let checked = importable(&path);
        checked.or_else(|why| invalid(&raw.own.path.place, &format!("app `{path}`: {why}")))?;
    }
    let workers = match (raw.own.workers.value, suffix) {
        (Some(key), Some(suffix)) if key != suffix => {
            let message = format!(
                "app `{path}`: `workers = {key}` contradicts the `:{suffix}` of the path; keep one"
            );
            return invalid(&raw.own.workers.place, &message);
        }
        (key, suffix) => key.or(suffix),
    };
    let place_of_workers = match raw.own.workers.is_some() {
        true => &raw.own.workers.place,
        false => &raw.own.path.place,
    };
    // A pool of 0 waits to be scaled; it cannot promise anything yet.
    let most = pool.worker.workers();
    if let Some(wanted) = workers.filter(|wanted| *wanted > most && most > 0) {
        let message = format!(
            "app `{path}`: workers = {wanted}, but its pool has {most}; raise the pool's workers or lower the app's"
        );
        return invalid(place_of_workers, &message);
    }
    // A path that looks like one with a suffix keeps its own, to be read as it is.
    let bare = AppFlag { path: path.clone(), workers: None };
    let is_read_as_it_is = path.parse() == Ok(bare.clone());
    raw.own.workers = Slot { value: workers, place: place_of_workers.clone(), ..Slot::default() };
    raw.own.path.value = Some(if is_read_as_it_is { bare } else { AppFlag { path, workers } });
    raw.calls = pool.calls.overlaid_with(&raw.calls);
    Ok(Placed { place, table: raw })
}

/// Whether the Python worker can import a path: `module:Class`.
fn importable(path: &str) -> Result<(), String> {
    let names = |dotted: &str| dotted.split('.').all(is_name);
    match path.split_once(':') {
        Some((module, class)) if names(module) && names(class) => Ok(()),
        Some(_) => Err("write it as `module:Class`, both as Python would import them".to_owned()),
        None => Err(match path.rsplit_once('.') {
            Some((module, class)) => {
                format!("write it as `module:Class`; did you mean `{module}:{class}`?")
            }
            None => "write it as `module:Class`; a worker in another language needs a `command`"
                .to_owned(),
        }),
    }
}

/// Whether this is a name in Python, or nearly.
fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
}

fn invalid<T>(place: &Place, message: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid { place: place.clone(), message: message.to_owned() })
}
