//! Which folder a path means that workers start in: a deploy may have switched a
//! link in it.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::{config::Config, patience::CONFIG_READ, process::in_time, server::ReloadConfig};

/// Each path, with what it means.
type Folders = BTreeMap<PathBuf, PathBuf>;

/// Reads the configuration as `read` does, and logs which folders mean something
/// else than before, at first than when this process `started`.
pub fn noted(read: ReloadConfig, started: &Config) -> ReloadConfig {
    let known = Mutex::new(folders(started));
    read.map(move |config| {
        let new = folders(&config);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        for line in changes(&known, &new) {
            tracing::info!("{line}");
        }
        known.extend(new);
        config
    })
}

/// The folders of a configuration that can be found.
fn folders(config: &Config) -> Folders {
    let paths: Vec<_> = config.pools.iter().map(|pool| pool.chdir.clone()).collect();
    let found = move || {
        paths.into_iter().filter_map(|path| Some((path.clone(), fs::canonicalize(path).ok()?)))
    };
    in_time(CONFIG_READ, move || found().collect()).unwrap_or_default()
}

fn changes(known: &Folders, new: &Folders) -> Vec<String> {
    let changed = new.iter().filter(|(path, now)| known.get(*path).is_some_and(|old| old != *now));
    let line = |(path, now): (&PathBuf, &PathBuf)| {
        format!("{} is now {}; new workers start there", path.display(), now.display())
    };
    changed.map(line).collect()
}
