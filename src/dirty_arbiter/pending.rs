//! What a reload leaves as it is: whoever changed such a key should know.

use crate::{
    config::{Config, Pending, Takes},
    server::ReloadConfig,
};

/// Reads the configuration as `read` does, and logs which of its values take
/// more than a reload, compared with those that this process `started` with.
pub fn noted(read: ReloadConfig, started: Config) -> ReloadConfig {
    read.map(move |config| {
        for line in lines(&started.pending_after_reload(&config)) {
            tracing::warn!("{line}");
        }
        config
    })
}

/// A line for each remedy.
fn lines(pending: &[Pending]) -> Vec<String> {
    let line = |takes: Takes, remedy: &str| {
        let keys = pending.iter().filter(|pending| pending.takes == takes);
        let keys: Vec<_> = keys.map(|pending| pending.key.as_str()).collect();
        (!keys.is_empty())
            .then(|| format!("reload: these keys were not changed: {}; {remedy}", keys.join(", ")))
    };
    let upgrade = line(Takes::Upgrade, "changing them needs an upgrade or a restart");
    upgrade.into_iter().chain(line(Takes::Restart, "changing them needs a restart")).collect()
}
