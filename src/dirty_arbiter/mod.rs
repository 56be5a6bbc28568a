//! The dirty arbiter: the process that serves. It joins the pool, the edge and
//! the signals, and ends when a drain has ended.
//!
//! One thread runs it all: a call passes through a handful of tasks, and waking
//! another core for each would cost more than the work.

mod folders;
mod guard;
mod orphans;
mod pending;
mod place;
mod resources;
mod signals;
mod upstream;

use std::{
    io,
    os::unix::net::UnixListener,
    pin::pin,
    sync::{Arc, Mutex},
    time::Instant,
};

use dirtyd_client::busy_wait;
use tokio::{
    runtime::Builder,
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinHandle,
};

pub use signals::Stop;
pub use upstream::Upstream;

use crate::{
    config::Config,
    console,
    hooks::{self, Hooks},
    lifeline::Report,
    listening_socket::ListeningSocket,
    logging::Log,
    observe::Outlets,
    patience,
    pool::{self, PoolHandle, ReloadError, ScaleTo},
    server::{Edge, ReloadConfig},
};
use signals::{Asked, Asks};

/// What a dirty arbiter needs.
pub struct DirtyArbiter {
    /// The configuration.
    pub config: Config,
    /// The bound socket.
    pub listener: UnixListener,
    /// Its file, where no main arbiter watches that.
    pub file: Option<Arc<Mutex<ListeningSocket>>>,
    /// Reads the configuration again.
    pub reload: ReloadConfig,
    /// The log, where this process has it.
    pub log: Option<Log>,
    /// What to run at points of the life cycle.
    pub hooks: Option<Box<dyn Hooks>>,
    /// Whom it reports to.
    pub upstream: Upstream,
    /// When to end, if not by a signal: then all signals are left to the program
    /// around it.
    pub stop: Option<Stop>,
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
        let mut asks = match self.stop {
            Some(stop) => Asks::Host(Some(stop)),
            None => Asks::by_signals()?,
        };
        let alone = matches!(self.upstream, Upstream::Nobody);
        let graceful_timeout = self.config.graceful_timeout;
        if let Upstream::Main { lifeline, .. } = &self.upstream {
            guard::start(lifeline, patience::dirty_arbiter_is_killed(graceful_timeout))?;
        }
        let outlets = Outlets::open(&self.config);
        let hooks = hooks::Runner::start(self.hooks, &self.config);
        hooks.before_first_worker().await;
        let (pool, mut pool_task) = pool::start(&self.config);
        hooks.follow(pool.events());
        if let Some(adoption) = adoption {
            orphans::follow(adoption, pool.events())?;
        }
        let read = pending::noted(self.reload, self.config.clone());
        let read = folders::noted(read, &self.config);
        let edge = Edge::new(self.listener, &self.config, &pool, read.clone(), outlets.clone())?;
        if self.owns_process {
            let held = edge.held();
            tokio::spawn(resources::give_back(move || {
                let held = held.clone();
                async move { held.much_was_freed().await }
            }));
        }
        let (serving, serves) = watch::channel(false);
        let serving = Arc::new(serving);
        console::start(&self.config, edge.insight(), serves)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let link = upstream::start(self.upstream, &pool)?;
        let begins = Arc::clone(&serving);
        let admitted = async move {
            drop(link.admitted.await);
            begins.send_replace(true);
        };
        let stopped = async { drop(stopped.await) };
        let listeners = place::listeners(link.listeners, self.file);
        let edge_task = tokio::spawn(edge.serve(admitted, stopped, listeners));
        let reloads = reload_when_asked(pool.clone(), read, link.reports);
        let (mut lost, mut gives_way) = (link.lost, link.gives_way);
        announce(&self.config);
        let why = loop {
            let asked = tokio::select! {
                asked = asks.next() => asked,
                Ok(()) = &mut lost => break Why::Told(ORPHANED),
                Ok(()) = &mut gives_way => break Why::GivesWay,
                ended = &mut pool_task => {
                    // The pool only ends by itself when it panicked.
                    return Err(io::Error::other(format!("the pool stopped: {ended:?}")));
                }
            };
            match asked {
                Asked::Drain(signal) => break Why::Told(signal),
                Asked::Quit => return Ok(()),
                Asked::Reload => reloads.notify_one(),
                Asked::ReopenLog => {
                    self.log.iter().for_each(Log::reopen);
                    outlets.reopen();
                }
                Asked::Scale(by) => scale(&pool, by),
            }
        };
        let mut end = pin!(drained(edge_task, &pool, pool_task, &hooks, link.task, &outlets));
        let mut stop = Some(stop);
        // The pool first: whoever watches its events hears of it before they end.
        let why = match why {
            Why::Told(why) => why,
            Why::GivesWay => {
                // The successor takes over what operators watch, too.
                serving.send_replace(false);
                pool.give_way().await;
                drop(stop.take());
                match first_of(&mut end, &mut asks, &mut lost).await {
                    Some(why) => why,
                    None => return Ok(()),
                }
            }
        };
        match alone || why == ORPHANED {
            true => tracing::info!("{why}: draining for up to {graceful_timeout:?}"),
            // The main arbiter has said for how long, and on which signal.
            false => {
                tracing::info!("the dirty arbiter was told to stop; it accepts no more connections")
            }
        }
        let begun = Instant::now();
        pool.drain(begun + graceful_timeout).await;
        drop(stop);
        let limit = begun + patience::dirty_arbiter_drains(graceful_timeout);
        tokio::select! {
            () = end => {}
            () = told_again(&mut asks, alone) =>
                tracing::info!("second signal: ending at once"),
            () = tokio::time::sleep_until(limit.into()) =>
                tracing::warn!("graceful_timeout passed; the dirty arbiter exits"),
        }
        Ok(())
    }
}

/// Why a dirty arbiter ends whose main arbiter is gone.
const ORPHANED: &str = "the main arbiter has exited";

/// Why the arbiter ends.
enum Why {
    /// Somebody told it, or is gone.
    Told(&'static str),
    /// Another one serves.
    GivesWay,
}

/// Waits for the end of an arbiter that gives way. `None` if that has come, or is to
/// come at once; else why it has no more time than any other.
async fn first_of(
    end: &mut (impl Future<Output = ()> + Unpin),
    asks: &mut Asks,
    lost: &mut oneshot::Receiver<()>,
) -> Option<&'static str> {
    loop {
        tokio::select! {
            () = &mut *end => return None,
            Ok(()) = &mut *lost => return Some(ORPHANED),
            asked = asks.next() => match asked {
                Asked::Drain(signal) => return Some(signal),
                Asked::Quit => return None,
                Asked::Reload | Asked::ReopenLog | Asked::Scale(_) => {}
            },
        }
    }
}

fn announce(config: &Config) {
    tracing::info!(
        pid = std::process::id(),
        "dirtyd {} `{}` listens on {}",
        env!("CARGO_PKG_VERSION"),
        config.proc_name,
        config.socket.display()
    );
}

/// Resolves when the edge, the pool, the hooks, the reports and what is told of calls
/// have ended, in this order.
async fn drained(
    edge: JoinHandle<()>,
    pool: &PoolHandle,
    pool_task: JoinHandle<()>,
    hooks: &hooks::Runner,
    reports: JoinHandle<()>,
    outlets: &Outlets,
) {
    let _ = edge.await;
    pool.edge_closed().await;
    let _ = pool_task.await;
    hooks.finish().await;
    let _ = reports.await;
    outlets.finish().await;
    tracing::info!("drained; the dirty arbiter exits");
}

/// Resolves when somebody wants the end of a drain: by QUIT, or by INT, at a terminal,
/// where this process is `alone`. A second TERM may be that of another operator.
async fn told_again(asks: &mut Asks, alone: bool) {
    loop {
        match asks.next().await {
            Asked::Quit => return,
            Asked::Drain("SIGINT") if alone => return,
            _ => {}
        }
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
            match read.read().await {
                Ok(config) => {
                    // The pool's journal says how a reload ends that was begun.
                    if let Err(ReloadError::Busy) = pool.reload(config, String::new()).await {
                        tracing::warn!(
                            "SIGHUP: another reload is running, so this one was not started"
                        );
                    }
                }
                Err(error) => {
                    tracing::error!(
                        "SIGHUP: the configuration was rejected, so nothing changed: {error}"
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
            tracing::warn!("the number of workers stays as it is: {error}");
        }
    });
}
