//! Sends traces and metrics to a collector by OTLP.
//!
//! ```text
//!   send ─> 4096 calls or 4 MiB ─> thread: batches of 512 spans ─┬─> collector
//!   metrics ─> the latest ────────> thread ──────────────────────┘
//! ```
//!
//! The thread has a runtime of its own, so no call ever waits for a collector: what has no
//! room is dropped and counted by its [`Reason`]. [`spans`], [`metrics`], [`failure`] and
//! [`contact`] decide, purely; [`task`] does what they say, over [`transport`].
//!
//! The messages are those of `opentelemetry-proto`; the SDK's exporters are not used,
//! because they block runtimes of one thread.

mod attribute;
mod contact;
mod drops;
mod endpoint;
mod failure;
mod metrics;
mod resource;
mod spans;
mod task;
mod traced;
mod transport;

#[cfg(test)]
mod tests;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::SystemTime,
};

use tokio::sync::{
    Notify,
    mpsc::{self, error::TrySendError},
    watch,
};

pub use drops::Reason;
pub use resource::Resource;
pub use traced::TracedCall;

use super::family::Family;
use crate::{config::OtlpConfig, patience::COLLECTOR_TAKES};
use drops::Drops;
use endpoint::Endpoint;

/// The calls that wait to be sent; what comes beyond them is dropped.
const MOST_CALLS: usize = 4096;
/// The same in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// The way to the thread that sends. Clones are ways to the same one; it ends with the last.
#[derive(Debug, Clone)]
pub struct Exporter {
    calls: mpsc::Sender<TracedCall>,
    shared: Arc<Shared>,
    /// Signals the end; so does dropping it.
    end: Arc<watch::Sender<bool>>,
    /// Its sender is gone when the thread has ended.
    ended: watch::Receiver<()>,
}

/// What the thread shares with those who send.
#[derive(Debug, Default)]
struct Shared {
    drops: Drops,
    /// The bytes of the calls that wait.
    waiting: AtomicUsize,
    /// The metrics to send next, and when they were read. Newer ones take their place,
    /// because they tell the same and more.
    metrics: Mutex<Option<(Vec<Family>, SystemTime)>>,
    more_metrics: Notify,
    /// A batch of calls waits.
    full: Notify,
}

impl Exporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// The URL is none, or there is no thread or runtime to be had.
    pub fn start(config: &OtlpConfig, resource: Resource) -> io::Result<Self> {
        let endpoint = Endpoint::read(&config.endpoint)?;
        let (calls, waiting) = mpsc::channel(MOST_CALLS);
        let (end, asked) = watch::channel(false);
        let (ends, ended) = watch::channel(());
        let shared = Arc::<Shared>::default();
        let task = task::Task {
            url: config.endpoint.clone(),
            endpoint,
            protocol: config.protocol,
            resource: resource.0,
            start: SystemTime::now(),
            shared: Arc::clone(&shared),
            end: asked,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            let _ends = ends;
            runtime.block_on(task.run(waiting));
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("otlp".to_owned()).spawn(run)?;
        Ok(Self { calls, shared, end: Arc::new(end), ended })
    }

    /// Whether it could be started.
    ///
    /// # Errors
    /// The URL is none.
    pub fn check(config: &OtlpConfig) -> io::Result<()> {
        Endpoint::read(&config.endpoint).map(drop)
    }

    /// Sends the spans of a call soon, or counts them as dropped. It never waits.
    pub fn send(&self, call: TracedCall) {
        let (size, spans) = (call.size(), call.spans());
        let waiting = self.shared.waiting.fetch_add(size, Ordering::Relaxed) + size;
        let sent = match waiting <= MOST_BYTES {
            true => self.calls.try_send(call).map_err(|error| match error {
                TrySendError::Full(_) => Reason::QueueFull,
                TrySendError::Closed(_) => Reason::Ended,
            }),
            false => Err(Reason::QueueFull),
        };
        if self.calls.max_capacity() - self.calls.capacity() == task::FULL {
            self.shared.full.notify_one();
        }
        if let Err(reason) = sent {
            self.shared.waiting.fetch_sub(size, Ordering::Relaxed);
            self.shared.drops.count(reason, spans);
        }
    }

    /// Sends metrics soon, in the place of those that are not sent yet. It never waits.
    pub fn metrics(&self, families: Vec<Family>) {
        let read = (families, SystemTime::now());
        let mut next = self.shared.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let former = next.replace(read);
        drop(next);
        drop(former);
        self.shared.more_metrics.notify_one();
    }

    /// The number of spans that reached no collector for this reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.shared.drops.of(reason)
    }

    /// Sends what waits, as far as the collector takes it at once, and ends the thread: within
    /// [`COLLECTOR_TAKES`], whatever the collector does.
    pub async fn finish(&self) {
        self.end.send_replace(true);
        let mut ended = self.ended.clone();
        // The only change is that the sender is gone.
        let gone = async { while ended.changed().await.is_ok() {} };
        if tokio::time::timeout(COLLECTOR_TAKES, gone).await.is_err() {
            tracing::warn!(
                "the thread that sends to the OTLP collector did not end within {COLLECTOR_TAKES:?}"
            );
        }
    }
}
