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
    groups::{access::Access, hooks::WorkerInit, instance::Instance, log::Log, worker::Worker},
    origin::Origin,
    raw::{PoolKeys, Raw, RawApp, RawPool},
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
        let bare = self.bare.dirty_apps.unwrap_or_default().into_iter().map(RawApp::of);
        let apps: Vec<_> = bare.chain(self.app.into_iter().flatten()).collect();
        if apps.is_empty() && pool.is_empty() {
            return invalid(
                "",
                "no app is configured: give --app module:Class, or write an [[app]] with a path",
            );
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
            log: Log {
                log_file: self.log.log_file.as_ref().map(|file| base.join(file)),
                ..self.log
            },
            top,
            bare: Default::default(),
            app: Some(app),
            pool: Some(pool),
            origin: Origin::default(),
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
                return invalid(place, &format!("pool `{name}`: the name is taken"));
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
                        "app `{path}`: it is configured twice; callers name apps by path, so each path may stand in one pool, once"
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
            return invalid(place, "access: it names nobody; give `uids`, `users` or `groups`");
        }
    }
    match (&instance.allowed_uids, entries) {
        (Some(_), Some(entries)) if !entries.is_empty() => invalid(
            &entries[0].place,
            "access: `allowed_uids` is the short form of an [[access]] entry; keep one of the two",
        ),
        (Some(uids), _) => {
            let listed = Access { uids: Some(uids.clone()), ..Access::default() };
            Ok(Some(vec![Placed::nowhere(listed)]))
        }
        (None, entries) => Ok(entries),
    }
}

fn complete_instance(instance: &Instance, base: &Path) -> Result<Instance, ConfigError> {
    let socket = instance.socket.as_ref().map(|path| base.join(path));
    let runtime_dir = match (&instance.runtime_dir, &socket) {
        (Some(dir), _) => base.join(dir),
        (None, Some(socket)) => match socket.parent().unwrap_or(Path::new("/")) {
            // Others could put files there, which would be taken for those of this one.
            shared if is_shared(shared) => default_runtime_dir(),
            own => own.to_owned(),
        },
        (None, None) => default_runtime_dir(),
    };
    let socket = socket.unwrap_or_else(|| runtime_dir.join("dirtyd.sock"));
    if socket.as_os_str().len() > SOCKET_PATH {
        return invalid(
            "",
            &format!(
                "socket: `{}` is longer than the {SOCKET_PATH} bytes that the kernel allows; choose a shorter path",
                socket.display()
            ),
        );
    }
    // What it means stands in the entries of `access` now.
    let allowed_uids = None;
    Ok(Instance {
        socket: Some(socket),
        runtime_dir: Some(runtime_dir),
        allowed_uids,
        ..instance.clone()
    })
}

/// Whether others than its owner may write into a folder, as into `/tmp`.
fn is_shared(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o022 != 0)
}

/// The same with paths that mean the same from anywhere.
fn located(keys: &PoolKeys, base: &Path) -> PoolKeys {
    let mut keys = keys.clone();
    let chdir = keys.process.chdir.map_or_else(|| base.to_owned(), |dir| base.join(dir));
    keys.process.chdir = Some(chdir);
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
    let Some(AppFlag { path, workers: suffix }) = raw.own.path else {
        return invalid(&place, "app: `path` is missing");
    };
    let workers = match (raw.own.workers, suffix) {
        (Some(key), Some(suffix)) if key != suffix => {
            let message = format!(
                "app `{path}`: `workers = {key}` contradicts the `:{suffix}` of the path; keep one"
            );
            return invalid(&place, &message);
        }
        (key, suffix) => key.or(suffix),
    };
    // A pool of 0 waits to be scaled; it cannot promise anything yet.
    let most = pool.worker.workers();
    if let Some(wanted) = workers.filter(|wanted| *wanted > most && most > 0) {
        let message = format!(
            "app `{path}`: workers = {wanted}, but its pool has {most}; raise the pool's workers or lower the app's"
        );
        return invalid(&place, &message);
    }
    // A path that looks like one with a suffix keeps its own, to be read as it is.
    let bare = AppFlag { path: path.clone(), workers: None };
    let is_read_as_it_is = path.parse() == Ok(bare.clone());
    raw.own.path = Some(if is_read_as_it_is { bare } else { AppFlag { path, workers } });
    raw.own.workers = workers;
    raw.calls = pool.calls.overlaid_with(&raw.calls);
    Ok(Placed { place, table: raw })
}

fn invalid<T>(place: &str, message: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid { place: place.to_owned(), message: message.to_owned() })
}
