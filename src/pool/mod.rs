//! The one task that owns the queues and the worker table, and the handle by
//! which everything else speaks to it.
//!
//! ```text
//!   edge --Ask-------------> pool task --Control--> worker tasks
//!        --credit, leaving->          <--Entry----
//! ```
//!
//! The task never awaits a worker and never awaits the edge. What is to be done
//! is decided by a pure [`machine`], which takes events and the time and returns
//! actions; the task carries them out.
//!
//! It knows no gRPC.

mod app_metrics;
mod error;
mod journal;
pub(crate) mod machine;
mod snapshot;
mod task;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use dirtyd_client::proto::v1::Stack;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub use app_metrics::{AppMetric, AppMetricKind, AppMetrics, AppValue};
pub use error::{ReloadError, RestartError, ScaleError};
pub use journal::Entry;
pub use machine::EntryKind;
pub use machine::{Cause, Measures, WorkerState};
pub use snapshot::{AppSnapshot, Snapshot, WorkerSnapshot};

use crate::{
    call::{
        CallError, CallId, CallRequest, CallView, CallerLine, Cancelled, QueueBound, Reply, Ticket,
        WorkerRef,
    },
    config::Config,
    patience::WORKERS_ANSWER,
    worker::NoStacks,
};

/// Asks that wait for the pool's task; the edge waits when it is full,
/// which is short, because the task waits for nobody.
const ASKS: usize = 1024;
/// Credit of streams that waits for the pool's task, beside the place that each
/// call has for its leaving.
const CREDITS: usize = 1024;

/// What the pool is asked.
enum Ask {
    Submit(CallId, Box<CallRequest>, Reply),
    Status(oneshot::Sender<Snapshot>),
    AppMetrics(oneshot::Sender<AppMetrics>),
    Scale {
        pool: String,
        change: ScaleTo,
        reply: oneshot::Sender<Result<(u32, u32), ScaleError>>,
    },
    Reload {
        config: Box<Config>,
        pool: String,
        reply: oneshot::Sender<Result<u32, ReloadError>>,
    },
    /// The calls that wait, and a way to ask workers for those that run.
    ListCalls(oneshot::Sender<(Vec<CallView>, mpsc::UnboundedReceiver<Vec<CallView>>)>),
    CancelCall(CallId, oneshot::Sender<Option<Cancelled>>),
    GetStacks(u64, oneshot::Sender<Option<AskedStacks>>),
    Restart(u64, oneshot::Sender<Result<(WorkerRef, String), RestartError>>),
    /// Drain until the instant, then kill.
    Drain(Instant),
    /// Drain, because another arbiter serves.
    GiveWay,
    /// No connection is left: no call can come any more.
    EdgeClosed,
}

/// A worker that was asked for its stacks, and where its answer comes.
type AskedStacks = (WorkerRef, oneshot::Receiver<Result<Vec<Stack>, NoStacks>>);

/// Why a worker did not say what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Its runtime cannot tell.
    Unable,
    /// It did not answer in time.
    Late,
    /// It ended.
    Gone,
}

/// A new size of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleTo {
    /// This number of workers.
    Workers(u32),
    /// More by this number, or fewer.
    By(i32),
}

/// Which apps can be served, for health checks.
pub type Health = Vec<(String, bool)>;

/// The way to the pool. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct PoolHandle {
    asks: mpsc::Sender<Ask>,
    callers: CallerLine,
    next_call: Arc<AtomicU64>,
    events: broadcast::Sender<Entry>,
    health: watch::Receiver<Health>,
}

/// Starts the pool's task and the first workers.
pub fn start(config: &Config) -> (PoolHandle, tokio::task::JoinHandle<()>) {
    let (asks, ask_receiver) = mpsc::channel(ASKS);
    // A place for every call that the edge can hold at once.
    let most_calls = config
        .limits
        .max_connections
        .saturating_mul(config.limits.max_concurrent_streams as usize)
        .clamp(1, tokio::sync::Semaphore::MAX_PERMITS - CREDITS);
    let (callers, caller_receiver) = mpsc::channel(most_calls + CREDITS);
    let (health_sender, health) = watch::channel(Health::new());
    let task = task::Task::new(config, ask_receiver, caller_receiver, health_sender);
    let handle = PoolHandle {
        asks,
        callers,
        next_call: Arc::new(AtomicU64::new(first_call(SystemTime::now()))),
        events: task.watchers(),
        health,
    };
    (handle, tokio::spawn(task.run()))
}

/// The first id of an arbiter that starts now; see [`CallId`].
fn first_call(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(1)
}

impl PoolHandle {
    /// Submits a call; its answer comes through `reply`'s other end.
    pub async fn submit(&self, mut request: Box<CallRequest>, reply: Reply) -> Ticket {
        let room = self.asks.reserve().await;
        // No wait from here on, so that calls are submitted in the order of their ids.
        let id = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        let Ok(room) = room else {
            reply.fail(CallError::Draining, None);
            return Ticket::refused(id);
        };
        let leave = match self.callers.capacity() {
            0..=CREDITS => None,
            _ => self.callers.clone().try_reserve_owned().ok(),
        };
        let Some(leave) = leave else {
            let bound = QueueBound::Connections(self.callers.max_capacity() - CREDITS);
            let retry_after = Duration::from_secs(1);
            reply.fail(CallError::QueueFull { app: request.app, bound, retry_after }, None);
            return Ticket::refused(id);
        };
        if let Some(story) = &request.story {
            story.numbered(id);
        }
        if request.request_id.is_empty() {
            request.request_id = id.to_string();
        }
        room.send(Ask::Submit(id, request, reply));
        Ticket::new(id, self.callers.clone(), leave)
    }

    /// The picture of this moment; `None` once the pool has ended.
    pub async fn status(&self) -> Option<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Status(reply)).await.ok()?;
        answer.await.ok()
    }

    /// The metrics of apps; `None` once the pool has ended.
    pub async fn app_metrics(&self) -> Option<AppMetrics> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::AppMetrics(reply)).await.ok()?;
        answer.await.ok()
    }

    /// The calls that wait or run, oldest first; `None` once the pool has ended.
    pub async fn calls(&self) -> Option<Vec<CallView>> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::ListCalls(reply)).await.ok()?;
        let (mut calls, mut running) = answer.await.ok()?;
        // It ends when the task of each worker has answered, or is gone.
        let all = async {
            while let Some(of_worker) = running.recv().await {
                calls.extend(of_worker);
            }
        };
        // A task that does not answer is stuck; the others' calls are worth having.
        let _ = tokio::time::timeout(WORKERS_ANSWER, all).await;
        calls.sort_by_key(|call| call.id);
        Some(calls)
    }

    /// Ends a call. Returns where it was.
    ///
    /// # Errors
    /// The pool has ended.
    pub async fn cancel_call(&self, id: CallId) -> Result<Option<Cancelled>, CallError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.asks.send(Ask::CancelCall(id, reply)).await;
        sent.map_err(|_| CallError::Draining)?;
        answer.await.map_err(|_| CallError::Draining)
    }

    /// What the threads and tasks of a worker do now; `None` if there is no such worker.
    pub async fn stacks(&self, worker: u64) -> Option<(WorkerRef, Result<Vec<Stack>, NoAnswer>)> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::GetStacks(worker, reply)).await.ok()?;
        let (worker, stacks) = answer.await.ok()??;
        let stacks = match tokio::time::timeout(WORKERS_ANSWER, stacks).await {
            Ok(Ok(Ok(stacks))) => Ok(stacks),
            Ok(Ok(Err(NoStacks::Unable))) => Err(NoAnswer::Unable),
            Ok(Ok(Err(NoStacks::Busy))) | Err(_) => Err(NoAnswer::Late),
            Ok(Err(_)) => Err(NoAnswer::Gone),
        };
        Some((worker, stacks))
    }

    /// Has a worker replaced. Returns it, and its pool, once that is begun.
    ///
    /// # Errors
    /// Why it stays.
    pub async fn restart(&self, worker: u64) -> Result<(WorkerRef, String), RestartError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.asks.send(Ask::Restart(worker, reply)).await;
        sent.map_err(|_| RestartError::Draining)?;
        answer.await.map_err(|_| RestartError::Draining)?
    }

    /// Gives a pool another size. Returns the sizes before and after.
    ///
    /// # Errors
    /// The pool does not exist or cannot have that size.
    pub async fn scale(&self, pool: String, change: ScaleTo) -> Result<(u32, u32), ScaleError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Scale { pool, change, reply };
        self.asks.send(ask).await.map_err(|_| ScaleError::Draining)?;
        answer.await.map_err(|_| ScaleError::Draining)?
    }

    /// Puts a new configuration into effect and replaces the workers; with a
    /// pool named, only what the configuration says of that pool, and only its
    /// workers. An empty name means all. Returns the number of workers replaced.
    ///
    /// # Errors
    /// Why the reload was not made; the workers that were there stay.
    pub async fn reload(&self, config: Config, pool: String) -> Result<u32, ReloadError> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask::Reload { config: Box::new(config), pool, reply };
        self.asks.send(ask).await.map_err(|_| ReloadError::Draining)?;
        answer.await.map_err(|_| ReloadError::Draining)?
    }

    /// Lets the pool finish until `deadline`; then what is left is killed.
    pub async fn drain(&self, deadline: Instant) {
        let _ = self.asks.send(Ask::Drain(deadline)).await;
    }

    /// Lets the pool finish because another arbiter serves: calls have their own
    /// timeouts, and streams `drain_timeout`.
    pub async fn give_way(&self) {
        let _ = self.asks.send(Ask::GiveWay).await;
    }

    /// Tells the pool that no call can come any more.
    pub async fn edge_closed(&self) {
        let _ = self.asks.send(Ask::EdgeClosed).await;
    }

    /// The events from now on.
    pub fn events(&self) -> broadcast::Receiver<Entry> {
        self.events.subscribe()
    }

    /// Which apps can be served; changes as it changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }
}
