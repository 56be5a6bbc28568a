//! What a configuration starts, in words.

use crate::{
    config::{AppConfig, Config, PoolConfig},
    printable::count,
};

/// A line for each pool, and below it one for each of its apps.
pub fn what_starts(config: &Config) -> Vec<String> {
    let lines = |pool: &PoolConfig| {
        let apps = pool.apps.iter().map(|app| format!("  {}", of_app(app, pool)));
        [of_pool(pool)].into_iter().chain(apps).collect::<Vec<_>>()
    };
    config.pools.iter().flat_map(lines).collect()
}

fn of_pool(pool: &PoolConfig) -> String {
    let workers = match pool.workers {
        0 => "no worker until `dirtyd scale`; then workers".to_owned(),
        workers => count(workers, "worker"),
    };
    let (command, directory) = (pool.command.join(" "), pool.chdir.display());
    let calls = count(pool.threads.get(), "call");
    format!(
        "pool `{}`: {workers} of `{command}` in {directory}, {calls} at a time in each",
        pool.name
    )
}

fn of_app(app: &AppConfig, pool: &PoolConfig) -> String {
    let workers = match app.workers {
        _ if pool.workers == 1 => "in the worker".to_owned(),
        Some(workers) => format!("in {}", count(workers, "worker")),
        None => "in all workers, unless its class attribute `workers` says in how many".to_owned(),
    };
    format!("{} {workers}", app.path)
}
