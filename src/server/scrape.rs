//! What whoever scrapes metrics gets, and the two questions of health, whichever listener
//! they come from.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{admin::Counts, locked::locked};
use crate::{
    observe::{
        Observer,
        exposition::{self, Format},
        family::Family,
        gather::{self, Figures},
        seats::CpuBySeat,
    },
    pool::PoolHandle,
    process::{cpu::cpu_time, descriptors, memory::resident_bytes},
};

/// How often the lateness of the event loop is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// For how many looks the latest one counts.
const LOOKS: u32 = 5;

/// What knows all metrics of this arbiter.
pub struct Scrape {
    pool: PoolHandle,
    counts: Counts,
    max_connections: usize,
    observer: Arc<Observer>,
    started: SystemTime,
    seats: Mutex<CpuBySeat>,
    /// How late the event loop was, in nanoseconds.
    lag: AtomicU64,
}

impl Scrape {
    /// Of a pool and its edge.
    pub fn new(
        pool: PoolHandle,
        counts: Counts,
        max_connections: usize,
        observer: Arc<Observer>,
    ) -> Arc<Self> {
        Arc::new(Self {
            pool,
            counts,
            max_connections,
            observer,
            started: SystemTime::now(),
            seats: Mutex::default(),
            lag: AtomicU64::new(0),
        })
    }

    /// Looks at the lateness of the event loop, for ever.
    pub async fn watch_event_loop(self: Arc<Self>) {
        let (mut worst, mut looks) = (Duration::ZERO, 0);
        loop {
            let before = Instant::now();
            tokio::time::sleep(LOOK).await;
            let late = before.elapsed().saturating_sub(LOOK);
            (worst, looks) = if looks == LOOKS { (late, 1) } else { (worst.max(late), looks + 1) };
            self.lag.store(worst.as_nanos() as u64, Relaxed);
        }
    }

    /// Sends all metrics to the collector again and again, until the pool has ended.
    pub async fn push(self: Arc<Self>, interval: Duration) {
        while let Some(families) = self.families().await {
            self.observer.outlets().send_metrics(families);
            tokio::time::sleep(interval).await;
        }
    }

    /// All metrics; `None` once the pool has ended.
    pub async fn families(&self) -> Option<Vec<Family>> {
        let snapshot = self.pool.status().await?;
        let of_apps = self.pool.app_metrics().await?;
        let pid = std::process::id() as i32;
        let mut dropped = self.observer.dropped();
        dropped.push(("app_metrics", of_apps.dropped()));
        let figures = Figures {
            version: env!("CARGO_PKG_VERSION"),
            started: self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            connections: (self.counts.connections.count().into(), self.max_connections as u64),
            held: (self.counts.held.bytes(), self.counts.held.limit()),
            memory: resident_bytes(pid).unwrap_or(0),
            cpu_time: cpu_time(pid).unwrap_or_default(),
            descriptors: (descriptors::open(), descriptors::limit()),
            lag: Duration::from_nanos(self.lag.load(Relaxed)),
            dropped,
            cpu_by_seat: locked(&self.seats).look(&snapshot.workers),
        };
        let mut families = gather::families(&snapshot, &self.observer.tally(), &figures);
        families.extend(gather::of_app_metrics(&of_apps));
        Some(families)
    }

    /// The answer to a request for metrics with these headers.
    pub async fn metrics(&self, headers: &HeaderMap) -> Response<Bytes> {
        let Some(families) = self.families().await else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the arbiter has drained\n".into());
        };
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let format = Format::preferred(accept);
        let mut response = text(StatusCode::OK, exposition::written(families, format));
        let kind = HeaderValue::from_static(format.content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }

    /// Whether the arbiter lives: it answers.
    pub fn healthz() -> Response<Bytes> {
        text(StatusCode::OK, "ok\n".into())
    }

    /// Whether it takes calls, and for which apps: 200 until it drains, as long as some app
    /// can be served.
    pub async fn readyz(&self) -> Response<Bytes> {
        let drains = self.pool.status().await.is_none_or(|snapshot| snapshot.draining);
        let health = self.pool.health().borrow().clone();
        let ready = !drains && health.iter().any(|(_, served)| *served);
        let mut lines = match (drains, ready) {
            (true, _) => "not ready: the arbiter is draining\n",
            (false, true) => "ready\n",
            (false, false) => "not ready: no app can be served\n",
        }
        .to_owned();
        for (app, served) in health {
            let is = if served { "served" } else { "not served" };
            lines += &format!("{}: {is}\n", crate::printable::one_line(&app));
        }
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        text(status, lines.into())
    }
}

/// A short text that nobody is to keep.
fn text(status: StatusCode, text: Bytes) -> Response<Bytes> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let length = response.body().len();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}
