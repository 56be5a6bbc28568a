//! The dirty arbiter: the process that serves. It joins the pool, the edge and
//! the signals, and ends when a drain has ended.
//!
//! One thread runs it all: a call passes through a handful of tasks, and waking
//! another core for each would cost more than the work.

mod guard;
mod orphans;
mod resources;
mod signals;
mod upstream;

use std::{
    io,
    os::unix::net::UnixListener,
    sync::Arc,
    time::{Duration, Instant},
};

use dirtyd_client::busy_wait;
use tokio::{
    runtime::Builder,
    sync::{Notify, mpsc, oneshot},
};

pub use upstream::Upstream;

use crate::{
    config::Config,
    hooks::{self, Hooks},
    lifeline::Report,
    logging::Log,
    pool::{self, PoolHandle, ReloadError, ScaleTo},
    server::{Edge, ReloadConfig},
};
use signals::{Asked, Signals};

/// How much longer than the drain the process waits for stragglers.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// How much longer than the drain a process without a main arbiter may take; as
/// long as that would wait.
const GUARD: Duration = Duration::from_secs(8);

/// What a dirty arbiter needs.
pub struct DirtyArbiter {
    /// The configuration.
    pub config: Config,
    /// The bound socket.
    pub listener: UnixListener,
    /// Reads the configuration again.
    pub reload: ReloadConfig,
    /// The log.
    pub log: Log,
    /// What to run at points of the life cycle.
    pub hooks: Option<Box<dyn Hooks>>,
    /// Who is above.
    pub upstream: Upstream,
    /// Whether the process is its own, with its limits, its allocator and the
    /// processes that lost their parents. Not inside another program.
    pub owns_process: bool,
}

impl DirtyArbiter {
    /// Serves until it was told to end, and has.
    ///
    /// # Errors
    /// The reactor, the signals or the socket cannot be set up.
    pub fn run(self) -> io::Result<()> {
        if self.owns_process {
            resources::claim(&self.config);
        }
        // A main arbiter reaps and ends them itself.
        let adopts_orphans = self.owns_process && matches!(self.upstream, Upstream::Nobody);
        let adoption = adopts_orphans.then(orphans::adopt);
        let (runtime, busy_wait) = busy_wait::runtime(Builder::new_current_thread().enable_all())?;
        busy_wait.look_for(self.config.busy_wait);
        let ended = runtime.block_on(self.serve(adoption.clone()));
        // With it go the workers that are left; then what they leave is.
        drop(runtime);
        if let Some(adoption) = &adoption {
            orphans::end(adoption);
        }
        ended
    }

    async fn serve(self, adoption: Option<orphans::Shared>) -> io::Result<()> {
        let mut signals = Signals::new()?;
        if self.owns_process {
            tokio::spawn(resources::give_back());
        }
        let alone = matches!(self.upstream, Upstream::Nobody);
        if let Upstream::Main { lifeline, .. } = &self.upstream {
            guard::start(lifeline, self.config.graceful_timeout + GUARD)?;
        }
        let hooks = hooks::Runner::start(self.hooks, &self.config);
        hooks.before_first_worker().await;
        let (pool, mut pool_task) = pool::start(&self.config);
        hooks.follow(pool.events());
        if let Some(adoption) = adoption {
            orphans::follow(adoption, pool.events())?;
        }
        let edge = Edge::new(self.listener, &self.config, &pool, self.reload.clone())?;
        let (stop, stopped) = oneshot::channel::<()>();
        let link = upstream::start(self.upstream, &pool)?;
        let (admitted, stopped) =
            (async { drop(link.admitted.await) }, async { drop(stopped.await) });
        let mut edge_task = tokio::spawn(edge.serve(admitted, stopped));
        let reloads = reload_when_asked(pool.clone(), self.reload, link.reports);
        let mut lost = link.lost;
        tracing::info!(
            pid = std::process::id(),
            "dirtyd {} `{}` listens on {}",
            env!("CARGO_PKG_VERSION"),
            self.config.proc_name,
            self.config.socket.display()
        );
        let why = loop {
            let asked = tokio::select! {
                asked = signals.next() => asked,
                Ok(()) = &mut lost => break "the main arbiter is gone",
                ended = &mut pool_task => {
                    // The pool only ends by itself when it panicked.
                    return Err(io::Error::other(format!("the pool ended: {ended:?}")));
                }
            };
            match asked {
                Asked::Drain(signal) => break signal,
                Asked::Quit => return Ok(()),
                Asked::Reload => reloads.notify_one(),
                Asked::ReopenLog => self.log.reopen(),
                Asked::Scale(by) => scale(&pool, by),
            }
        };
        tracing::info!("{why}: draining for up to {:?}", self.config.graceful_timeout);
        let deadline = Instant::now() + self.config.graceful_timeout;
        // The pool first: who watches hears of it before his watch ends.
        pool.drain(deadline).await;
        let _ = stop.send(());
        let drained = async {
            let _ = (&mut edge_task).await;
            pool.edge_closed().await;
            let _ = pool_task.await;
            hooks.finish().await;
        };
        let limit = deadline + STRAGGLERS;
        // A main arbiter passes on one TERM, and QUIT for the second.
        let quit = async {
            loop {
                match signals.next().await {
                    Asked::Quit => return,
                    Asked::Drain(_) if alone => return,
                    _ => {}
                }
            }
        };
        tokio::select! {
            () = drained => tracing::info!("drained; the arbiter ends"),
            () = quit => tracing::info!("told again: the arbiter ends at once"),
            () = tokio::time::sleep_until(limit.into()) =>
                tracing::warn!("graceful_timeout passed; the arbiter ends"),
        }
        Ok(())
    }
}

/// Reloads beside the loop, which must not wait for it. Asked again meanwhile,
/// it reloads once more: the configuration may have changed since it was read.
fn reload_when_asked(
    pool: PoolHandle,
    read: ReloadConfig,
    reports: mpsc::Sender<Report>,
) -> Arc<Notify> {
    let asked = Arc::new(Notify::new());
    let asks = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            asked.notified().await;
            match read() {
                Ok(config) => {
                    // How one ends that was begun, the pool's journal tells.
                    if let Err(ReloadError::Busy) = pool.reload(config, String::new()).await {
                        tracing::warn!("SIGHUP: another reload runs, so this one was not made");
                    }
                }
                Err(error) => {
                    tracing::error!(
                        "SIGHUP: the configuration is not used, nothing changes: {error}"
                    );
                }
            }
            let _ = reports.send(Report::Reloaded).await;
        }
    });
    asks
}

fn scale(pool: &PoolHandle, by: i32) {
    let pool = pool.clone();
    tokio::spawn(async move {
        if let Err(error) = pool.scale(String::new(), ScaleTo::By(by)).await {
            tracing::warn!("the number of workers stays: {error}");
        }
    });
}
