//! The thread of the hooks, and the way from the pool's events to it.

use std::{
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use tokio::sync::{broadcast, oneshot};

use super::{ArbiterFacts, Hooks, WorkerFacts};
use crate::{
    config::Config,
    patience,
    pool::{Entry, EntryKind},
};

/// The number of hooks that wait for their turn; further ones are left out, and
/// counted.
const BACKLOG: usize = 512;
/// The longest message that a hook is told.
const LONGEST: usize = 8 * 1024;

/// What the thread is asked to run.
enum Ask {
    Starting,
    PostFork(WorkerFacts),
    WorkerExit(WorkerFacts),
    /// Everything before this has been run.
    Flush(oneshot::Sender<()>),
}

/// The way to the hooks; without any, it does nothing.
#[derive(Debug)]
pub(crate) struct Runner {
    asks: Option<SyncSender<Ask>>,
    limit: Duration,
}

impl Runner {
    /// Starts the thread, if there are hooks.
    pub(crate) fn start(hooks: Option<Box<dyn Hooks>>, config: &Config) -> Self {
        let limit = patience::hooks_end(config.hooks.timeout);
        let Some(hooks) = hooks else { return Self { asks: None, limit } };
        let arbiter = ArbiterFacts {
            pid: std::process::id(),
            proc_name: config.proc_name.clone(),
            socket: config.socket.clone(),
            version: env!("CARGO_PKG_VERSION"),
        };
        let (asks, receiver) = sync_channel(BACKLOG);
        let started = thread::Builder::new()
            .name("hooks".to_owned())
            .spawn(move || run(hooks, &arbiter, &receiver));
        if let Err(error) = &started {
            tracing::error!("no hook can run: {error}");
        }
        Self { asks: started.is_ok().then_some(asks), limit }
    }

    /// Runs `on_dirty_starting` to its end, or its limit.
    pub(crate) async fn before_first_worker(&self) {
        if let Some(asks) = &self.asks {
            let _ = asks.try_send(Ask::Starting);
        }
        self.finish().await;
    }

    /// Runs the hooks of workers as the events come.
    pub(crate) fn follow(&self, mut events: broadcast::Receiver<Entry>) {
        let Some(asks) = self.asks.clone() else { return };
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => pass_on(&asks, event),
                    Err(broadcast::error::RecvError::Lagged(n)) => {
                        tracing::warn!("hooks missed {n} events");
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
    }

    /// Waits for the hooks of what has happened, within their limit.
    pub(crate) async fn finish(&self) {
        let Some(asks) = &self.asks else { return };
        // Events that the pool has sent are passed on before this task goes on.
        tokio::task::yield_now().await;
        let (done, flushed) = oneshot::channel();
        if asks.try_send(Ask::Flush(done)).is_err()
            || tokio::time::timeout(self.limit, flushed).await.is_err()
        {
            tracing::warn!("hooks are still running after {:?}; not waiting for them", self.limit);
        }
    }
}

fn pass_on(asks: &SyncSender<Ask>, event: Entry) {
    let Some(worker) = event.worker else { return };
    let ask = match event.kind {
        EntryKind::WorkerStarted => Ask::PostFork,
        EntryKind::WorkerDied => Ask::WorkerExit,
        _ => return,
    };
    let mut message = event.message;
    message.truncate(message.floor_char_boundary(LONGEST));
    let pool = event.pool.unwrap_or_default();
    let facts = WorkerFacts { id: worker.id, pid: worker.pid, pool, message };
    if let Err(TrySendError::Full(_)) = asks.try_send(ask(facts)) {
        tracing::warn!(
            worker = worker.id,
            "{BACKLOG} hooks are waiting for their turn; one for worker {} was left out",
            worker.id
        );
    }
}

fn run(mut hooks: Box<dyn Hooks>, arbiter: &ArbiterFacts, asks: &Receiver<Ask>) {
    while let Ok(ask) = asks.recv() {
        match ask {
            Ask::Starting => hooks.on_dirty_starting(arbiter),
            Ask::PostFork(worker) => hooks.dirty_post_fork(arbiter, &worker),
            Ask::WorkerExit(worker) => hooks.dirty_worker_exit(arbiter, &worker),
            Ask::Flush(done) => drop(done.send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Sender, channel},
        time::SystemTime,
    };

    use super::*;
    use crate::{call::WorkerRef, config::Raw};

    struct Recorder(Sender<String>);

    impl Hooks for Recorder {
        fn on_dirty_starting(&mut self, arbiter: &ArbiterFacts) {
            let _ = self.0.send(format!("starting {}", arbiter.proc_name));
        }

        fn dirty_post_fork(&mut self, _: &ArbiterFacts, worker: &WorkerFacts) {
            let _ = self.0.send(format!("fork {}", worker.id));
        }

        fn dirty_worker_exit(&mut self, _: &ArbiterFacts, worker: &WorkerFacts) {
            let _ = self.0.send(format!("exit {} {}", worker.id, worker.message));
        }
    }

    fn event(kind: EntryKind, id: u64) -> Entry {
        let (worker, message) = (Some(WorkerRef { id, pid: 1 }), "why".to_owned());
        Entry { time: SystemTime::now(), kind, worker, app: None, pool: None, message }
    }

    #[tokio::test]
    async fn a_trait_of_the_program_is_told_in_order() {
        let apps = vec!["app:App".parse().expect("a path")];
        let config = Config::from_raw(Raw::of_apps(apps)).expect("valid");
        let (told, tellings) = channel();
        let runner = Runner::start(Some(Box::new(Recorder(told))), &config);
        runner.before_first_worker().await;
        let (events, receiver) = broadcast::channel(8);
        runner.follow(receiver);
        for (kind, id) in [
            (EntryKind::WorkerStarted, 1),
            (EntryKind::WorkerReady, 1),
            (EntryKind::WorkerStarted, 2),
            (EntryKind::WorkerDied, 1),
        ] {
            events.send(event(kind, id)).expect("followed");
        }
        runner.finish().await;
        let told: Vec<String> = tellings.try_iter().collect();
        assert_eq!(told, ["starting dirtyd", "fork 1", "fork 2", "exit 1 why"]);
    }
}
