//! What the process of a dirty arbiter takes of the system, beside its threads:
//! descriptors and memory. Only where the process is its own.

use std::time::Duration;

use crate::{
    config::Config,
    process::{allocator, descriptors},
};

/// The descriptors of a connection, and of a worker: its socket, once more while a
/// write waits, a worker's pidfd and two pipes; all of a worker once more while it is
/// replaced. Then those of everything else.
const PER_CONNECTION: u64 = 2;
const PER_WORKER: u64 = 10;
const SPARE: u64 = 64;
/// How long freed memory may be kept. Where large messages pass all the time,
/// to fault the pages in again this often costs nothing.
const KEEP_MEMORY: Duration = Duration::from_secs(10);

/// Sets the process up for the calls of this configuration.
pub fn claim(config: &Config) {
    allocator::keep_freed();
    open_enough(config);
}

/// Raises the limit on open descriptors. Warns where it stays too low for all
/// connections and workers.
fn open_enough(config: &Config) {
    let Ok(limit) = descriptors::raise_limit() else { return };
    let workers: u64 = config.pools.iter().map(|pool| u64::from(pool.workers)).sum();
    let connections = config.limits.max_connections as u64;
    let wanted = connections * PER_CONNECTION + workers * PER_WORKER + SPARE;
    if limit < wanted {
        tracing::warn!(
            "max_connections ({connections}) and {workers} workers may need {wanted} descriptors, but only {limit} can be open; beyond that no connection is accepted and no worker started; raise `ulimit -n` (LimitNOFILE), or lower max_connections"
        );
    }
}

/// Keeps an arbiter small that has once passed large messages: what was freed goes back
/// after a while, or `sooner`.
pub async fn give_back<F: Future<Output = ()>>(sooner: impl Fn() -> F) {
    loop {
        let _ = tokio::time::timeout(KEEP_MEMORY, sooner()).await;
        allocator::give_back_freed();
    }
}
