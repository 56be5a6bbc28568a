//! The dirty arbiter: the process that serves. It joins the pool, the edge and
//! the signals, and ends when a drain has ended.
//!
//! One thread runs it all: a call passes through a handful of tasks, and waking
//! another core for each would cost more than the work.

use std::{
    io,
    os::unix::net::UnixListener,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::{
    config::Config,
    logging::Log,
    pool::{self, PoolHandle, ScaleTo},
    server::{Edge, ReloadConfig},
};

/// How much longer than the drain the process waits for stragglers.
const STRAGGLERS: Duration = Duration::from_secs(5);

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
}

impl DirtyArbiter {
    /// Serves until it was told to end, and has.
    ///
    /// # Errors
    /// The reactor, the signals or the socket cannot be set up.
    pub fn run(self) -> io::Result<()> {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let (pool, mut pool_task) = pool::start(&self.config);
        let edge = Edge::new(self.listener, &self.config, &pool, self.reload.clone())?;
        let (stop, stopped) = oneshot::channel::<()>();
        let mut edge_task = tokio::spawn(edge.serve(async { drop(stopped.await) }));
        tracing::info!(
            pid = std::process::id(),
            "dirtyd {} `{}` listens on {}",
            env!("CARGO_PKG_VERSION"),
            self.config.proc_name,
            self.config.socket.display()
        );
        loop {
            let action = tokio::select! {
                action = signals.next() => action,
                ended = &mut pool_task => {
                    // The pool only ends by itself when it panicked.
                    return Err(io::Error::other(format!("the pool ended: {ended:?}")));
                }
            };
            match action {
                Action::Drain(name) => {
                    tracing::info!("{name}: draining for up to {:?}", self.config.graceful_timeout);
                    break;
                }
                Action::Quit => return Ok(()),
                Action::Reload => reload(&pool, &self.reload),
                Action::ReopenLog => self.log.reopen(),
                Action::Scale(by) => scale(&pool, by),
            }
        }
        let deadline = Instant::now() + self.config.graceful_timeout;
        let _ = stop.send(());
        pool.drain(deadline).await;
        let drained = async {
            let _ = (&mut edge_task).await;
            pool.edge_closed().await;
            let _ = pool_task.await;
        };
        let limit = deadline + STRAGGLERS;
        let quit = async { while !matches!(signals.next().await, Action::Quit) {} };
        tokio::select! {
            () = drained => tracing::info!("drained; the arbiter ends"),
            () = quit => tracing::info!("QUIT: the arbiter ends at once"),
            () = tokio::time::sleep_until(limit.into()) =>
                tracing::warn!("graceful_timeout passed; the arbiter ends"),
        }
        Ok(())
    }
}

/// Reloads beside the loop, which must not wait for it.
fn reload(pool: &PoolHandle, read: &ReloadConfig) {
    match read() {
        Ok(config) => {
            let pool = pool.clone();
            // The pool's journal tells how it ends.
            tokio::spawn(async move { drop(pool.reload(config).await) });
        }
        Err(error) => {
            tracing::error!("HUP: the configuration is not used, nothing changes: {error}")
        }
    }
}

fn scale(pool: &PoolHandle, by: i32) {
    let pool = pool.clone();
    tokio::spawn(async move {
        if let Err(error) = pool.scale(String::new(), ScaleTo::By(by)).await {
            tracing::warn!("the number of workers stays: {error}");
        }
    });
}

/// What a signal asks for.
enum Action {
    Drain(&'static str),
    Quit,
    Reload,
    ReopenLog,
    Scale(i32),
}

/// The signals of the design's table.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user1: Signal,
    more: Signal,
    fewer: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let raw = |signal: nix::sys::signal::Signal| SignalKind::from_raw(signal as i32);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            more: signal(raw(nix::sys::signal::Signal::SIGTTIN))?,
            fewer: signal(raw(nix::sys::signal::Signal::SIGTTOU))?,
        })
    }

    async fn next(&mut self) -> Action {
        tokio::select! {
            _ = self.quit.recv() => Action::Quit,
            _ = self.terminate.recv() => Action::Drain("TERM"),
            _ = self.interrupt.recv() => Action::Drain("INT"),
            _ = self.hangup.recv() => Action::Reload,
            _ = self.user1.recv() => Action::ReopenLog,
            _ = self.more.recv() => Action::Scale(1),
            _ = self.fewer.recv() => Action::Scale(-1),
        }
    }
}
