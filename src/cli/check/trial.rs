//! Loading each app once, as a daemon would: by one that has its socket in a folder of
//! its own, and ends again.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use dirtyd_client::{
    Client,
    proto::v1::{AppStatus, StatusRequest, admin_client::AdminClient},
};
use tokio::{sync::oneshot, time::sleep};

use crate::{
    cli::connect::block_on,
    config::{Config, Hooks},
    embed, hooks,
};

/// How often to ask how far the workers are.
const LOOK: Duration = Duration::from_millis(50);
/// How long the end of a worker that does not boot may take, beyond its timeouts.
const SLACK: Duration = Duration::from_secs(10);

/// How an app loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The app.
    pub app: String,
    /// How long after the start it was ready, or why it is not.
    pub outcome: Result<Duration, String>,
}

/// Starts one worker of each pool, which loads all apps of the pool once. No hook runs.
///
/// # Errors
/// The daemon that does it cannot run.
pub fn load(config: &Config) -> anyhow::Result<Vec<Loaded>> {
    let folder = tempfile::tempdir()?;
    let mut trial = config.clone();
    trial.socket = folder.path().join("check.sock");
    trial.runtime_dir = folder.path().to_owned();
    (trial.socket_mode, trial.socket_gid, trial.access) = (0o600, None, Vec::new());
    trial.hooks = Hooks::default();
    for pool in &mut trial.pools {
        pool.workers = 1;
        pool.apps.iter_mut().for_each(|app| app.workers = Some(1));
    }
    let timeouts = trial.pools.iter().map(|pool| pool.boot_timeout + pool.kill_grace);
    let limit = timeouts.max().unwrap_or_default() + SLACK;
    let client = Client::connect(&trial.socket);
    let (stop, stopped) = oneshot::channel::<()>();
    let daemon = thread::spawn(move || {
        let stopped = async {
            let _ = stopped.await;
        };
        embed::serve(move || Ok(trial.clone()), Nothing, stopped)
    });
    let loaded = block_on(watch(&client, Instant::now(), limit));
    drop(stop);
    let ended: io::Result<()> =
        daemon.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")));
    ended?;
    loaded
}

/// Asks until each app is ready or has failed.
async fn watch(client: &Client, start: Instant, limit: Duration) -> anyhow::Result<Vec<Loaded>> {
    let mut admin = AdminClient::new(client.channel());
    let mut ready: Vec<(String, Duration)> = Vec::new();
    loop {
        // Until the socket is there, nobody answers.
        let status = admin.status(StatusRequest {}).await.map(tonic::Response::into_inner);
        let apps = status.map(|status| status.apps).unwrap_or_default();
        for app in apps.iter().filter(|app| app.ready_workers > 0) {
            if !ready.iter().any(|(known, _)| *known == app.app) {
                ready.push((app.app.clone(), start.elapsed()));
            }
        }
        let is_told = |app: &AppStatus| app.ready_workers > 0 || !app.last_error.is_empty();
        let late = start.elapsed() >= limit;
        if late || !apps.is_empty() && apps.iter().all(is_told) {
            let loaded = |app: AppStatus| {
                let ready = ready.iter().find(|(known, _)| *known == app.app);
                let outcome = match (ready, app.last_error.is_empty()) {
                    (Some((_, after)), _) => Ok(*after),
                    (None, false) => Err(app.last_error),
                    (None, true) => Err(format!("it was not ready after {limit:?}")),
                };
                Loaded { app: app.app, outcome }
            };
            return Ok(apps.into_iter().map(loaded).collect());
        }
        sleep(LOOK).await;
    }
}

/// No hooks.
struct Nothing;

impl hooks::Hooks for Nothing {}
