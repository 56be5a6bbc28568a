//! What a configuration names, and the machine does not have.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{Config, ConfigError, place::Place, raw::PoolKeys, table::Placed};

impl Config {
    /// The folders and programs that are not there now. They may come until the daemon
    /// needs them, so that they are no errors of the configuration itself.
    pub fn missing(&self) -> Vec<ConfigError> {
        let raw = &self.written.0;
        let default = raw.app.iter().flatten().next().map(|_| ("", &raw.top));
        let others = raw.pool.iter().flatten().map(|Placed { table, .. }| {
            (table.named.name.as_deref().unwrap_or_default(), &table.keys)
        });
        let access_log =
            raw.observe.as_ref().map(|keys| ("access_log_file", &keys.access_log_file));
        let files = [("log_file", &raw.log.log_file)].into_iter().chain(access_log);
        let logs = files.filter_map(|(key, file)| {
            let dir = file.as_deref().and_then(Path::parent).filter(|dir| !dir.is_dir())?;
            let message = format!("{key}: there is no directory {}", dir.display());
            Some(ConfigError::Invalid { place: file.place.clone(), message })
        });
        let pools = default.into_iter().chain(others);
        logs.chain(pools.flat_map(|(name, keys)| of_pool(name, keys))).collect()
    }
}

/// What is missing of a pool, whose name is empty if it is the default one.
fn of_pool(name: &str, keys: &PoolKeys) -> Vec<ConfigError> {
    let of = match name {
        "" => String::new(),
        name => format!("pool `{name}`: "),
    };
    let error = |place: &Place, what: String| ConfigError::Invalid {
        place: place.clone(),
        message: format!("{of}{what}"),
    };
    let mut missing = Vec::new();
    let chdir = &keys.process.chdir;
    if let Some(folder) = chdir.as_deref().filter(|folder| !folder.is_dir()) {
        missing.push(error(
            &chdir.place,
            format!("chdir: there is no directory {}", folder.display()),
        ));
    }
    let worker = &keys.worker;
    let program = worker.program().into_iter().next().unwrap_or_default();
    let path = worker.env.as_ref().and_then(|env| env.get("PATH")).map(OsString::from);
    if find(&program, path.or_else(|| env::var_os("PATH"))).is_none() {
        let (key, place) = match worker.command.is_some() {
            true => ("command", &worker.command.place),
            false => ("python", &worker.python.place),
        };
        missing.push(error(place, format!("{key}: there is no program `{program}`")));
    }
    missing
}

/// The file that a program's name means.
fn find(program: &str, path: Option<OsString>) -> Option<PathBuf> {
    let runs = |file: &Path| {
        fs::metadata(file)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|file| runs(file));
    }
    let path = path.unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| runs(file))
}
