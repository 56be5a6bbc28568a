//! The service `dirty.v1.Admin`: what operators see of the pool, and what they
//! can do to it.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use dirtyd_client::proto::v1;
use futures_util::Stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tonic::{Request, Response, Status};

use super::{admission::Users, counter::Counter, held::Held, reload::ReloadConfig, status};
use crate::{
    call::Principal,
    config::{Config, Pending, Takes},
    pool::{
        AppSnapshot, Entry, EntryKind, PoolHandle, ScaleTo, Snapshot, WorkerSnapshot, WorkerState,
    },
    process::memory::resident_bytes,
    proto::admin_server::Admin,
};

/// What the edge counts.
#[derive(Debug, Clone)]
pub struct Counts {
    /// The open connections.
    pub connections: Counter,
    /// Those of each user.
    pub users: Users,
    /// What is held for callers.
    pub held: Held,
}

impl Counts {
    fn peers(&self) -> Vec<v1::PeerStatus> {
        let mut of_users = BTreeMap::<Principal, (usize, u64)>::new();
        for (user, connections) in self.users.connections() {
            of_users.entry(user).or_default().0 = connections;
        }
        for (user, bytes) in self.held.of_users() {
            of_users.entry(user).or_default().1 = bytes;
        }
        let status = |(user, (connections, held_bytes)): (Principal, (usize, u64))| {
            v1::PeerStatus { peer: user.to_string(), connections: connections as u32, held_bytes }
        };
        let mut peers: Vec<_> = of_users.into_iter().map(status).collect();
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.held_bytes));
        peers
    }
}

/// The service `dirty.v1.Admin`.
#[derive(Clone)]
pub struct AdminService {
    pool: PoolHandle,
    counts: Counts,
    reload: ReloadConfig,
    started: SystemTime,
    /// The configuration that it started with.
    config: Arc<Config>,
}

impl AdminService {
    /// A service over a pool that was started with `config`. `counts` are those of the
    /// edge, and `reload` reads the configuration again.
    pub fn new(pool: PoolHandle, counts: Counts, reload: ReloadConfig, config: Config) -> Self {
        Self { pool, counts, reload, started: SystemTime::now(), config: Arc::new(config) }
    }

    fn arbiter(&self, snapshot: &Snapshot) -> v1::ArbiterStatus {
        let pid = std::process::id() as i32;
        v1::ArbiterStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid,
            started_at: Some(self.started.into()),
            draining: snapshot.draining,
            connections: self.counts.connections.count(),
            calls: snapshot.calls as u32,
            late_frames: snapshot.late_frames,
            memory_bytes: resident_bytes(pid).unwrap_or(0),
            reloads: snapshot.reloads,
            proc_name: self.config.proc_name.clone(),
            held_bytes: self.counts.held.bytes(),
            max_held_bytes: self.counts.held.limit(),
            cpu_time: None,
        }
    }
}

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        let snapshot = self.pool.status().await.ok_or_else(status::draining)?;
        Ok(Response::new(v1::StatusResponse {
            arbiter: Some(self.arbiter(&snapshot)),
            workers: snapshot.workers.into_iter().map(worker_status).collect(),
            apps: snapshot.apps.into_iter().map(app_status).collect(),
            peers: self.counts.peers(),
        }))
    }

    async fn scale(
        &self,
        request: Request<v1::ScaleRequest>,
    ) -> Result<Response<v1::ScaleResponse>, Status> {
        let v1::ScaleRequest { pool, workers } = request.into_inner();
        let (previous_workers, workers) = (self.pool.scale(pool, ScaleTo::Workers(workers)).await)
            .map_err(|error| status::of_scale(&error))?;
        Ok(Response::new(v1::ScaleResponse { previous_workers, workers }))
    }

    async fn reload(
        &self,
        request: Request<v1::ReloadRequest>,
    ) -> Result<Response<v1::ReloadResponse>, Status> {
        let v1::ReloadRequest { pool } = request.into_inner();
        let config = self.reload.read().await.map_err(|error| status::of_config(&error))?;
        let pending = self.config.pending_after_reload(&config);
        let pending_keys = pending.into_iter().map(pending_key).collect();
        let replaced_workers =
            self.pool.reload(config, pool).await.map_err(|error| status::of_reload(&error))?;
        Ok(Response::new(v1::ReloadResponse { replaced_workers, pending_keys }))
    }

    async fn list_calls(
        &self,
        _: Request<v1::ListCallsRequest>,
    ) -> Result<Response<v1::ListCallsResponse>, Status> {
        Err(status::draining())
    }

    async fn cancel_call(
        &self,
        _: Request<v1::CancelCallRequest>,
    ) -> Result<Response<v1::CancelCallResponse>, Status> {
        Err(status::draining())
    }

    async fn get_stacks(
        &self,
        _: Request<v1::GetStacksRequest>,
    ) -> Result<Response<v1::GetStacksResponse>, Status> {
        Err(status::draining())
    }

    async fn restart_worker(
        &self,
        _: Request<v1::RestartWorkerRequest>,
    ) -> Result<Response<v1::RestartWorkerResponse>, Status> {
        Err(status::draining())
    }

    type WatchEventsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(
        &self,
        _: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        Ok(Response::new(Box::pin(responses(self.pool.events()))))
    }
}

fn pending_key(pending: Pending) -> v1::PendingKey {
    let until = match pending.takes {
        Takes::Reload | Takes::Upgrade => v1::PendingUntil::Upgrade,
        Takes::Restart => v1::PendingUntil::Restart,
    };
    v1::PendingKey { key: pending.key, until: until.into() }
}

fn responses(
    events: Receiver<Entry>,
) -> impl Stream<Item = Result<v1::WatchEventsResponse, Status>> {
    futures_util::stream::unfold(events, |mut events| async move {
        let event = match events.recv().await {
            Ok(event) => event_response(event),
            Err(RecvError::Lagged(missed)) => v1::WatchEventsResponse {
                time: Some(SystemTime::now().into()),
                kind: v1::EventKind::EventsLost.into(),
                message: format!("the reader was too slow: {missed} events were dropped"),
                ..v1::WatchEventsResponse::default()
            },
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), events))
    })
}

fn event_response(event: Entry) -> v1::WatchEventsResponse {
    let (worker_id, worker_pid) = event.worker.map_or((0, 0), |worker| (worker.id, worker.pid));
    v1::WatchEventsResponse {
        time: Some(event.time.into()),
        kind: event_kind(event.kind).into(),
        worker_id,
        worker_pid,
        app: event.app.unwrap_or_default(),
        pool: event.pool.unwrap_or_default(),
        message: event.message,
    }
}

fn event_kind(kind: EntryKind) -> v1::EventKind {
    match kind {
        EntryKind::WorkerStarted => v1::EventKind::WorkerStarted,
        EntryKind::WorkerReady => v1::EventKind::WorkerReady,
        EntryKind::WorkerDied => v1::EventKind::WorkerDied,
        EntryKind::WorkerDraining => v1::EventKind::WorkerDraining,
        EntryKind::AppFailed => v1::EventKind::AppFailed,
        EntryKind::AppRecovered => v1::EventKind::AppRecovered,
        EntryKind::CallTimedOut => v1::EventKind::CallTimedOut,
        EntryKind::CallCutOff => v1::EventKind::CallCutOff,
        EntryKind::ReloadStarted => v1::EventKind::ReloadStarted,
        EntryKind::ReloadFinished => v1::EventKind::ReloadFinished,
        EntryKind::ReloadFailed => v1::EventKind::ReloadFailed,
        EntryKind::Scaled => v1::EventKind::Scaled,
        EntryKind::Draining => v1::EventKind::Draining,
    }
}

fn worker_status(worker: WorkerSnapshot) -> v1::WorkerStatus {
    let state = match worker.state {
        WorkerState::Booting => v1::WorkerState::Booting,
        WorkerState::Ready => v1::WorkerState::Ready,
        WorkerState::Draining => v1::WorkerState::Draining,
    };
    v1::WorkerStatus {
        id: worker.worker.id,
        pid: worker.worker.pid,
        pool: worker.pool,
        state: state.into(),
        apps: worker.apps,
        failed_apps: worker.failed_apps,
        in_flight: worker.in_flight,
        threads: worker.threads,
        served: worker.served,
        age: Some(duration(worker.age)),
        memory_bytes: worker.memory,
        seat: 0,
        cpu_time: None,
    }
}

fn app_status(app: AppSnapshot) -> v1::AppStatus {
    v1::AppStatus {
        app: app.app,
        pool: app.pool,
        queued: app.queued as u32,
        max_queue: u32::try_from(app.limits.calls).unwrap_or(u32::MAX),
        queued_bytes: app.queued_bytes,
        max_queue_bytes: app.limits.bytes.unwrap_or(0),
        oldest_wait: app.oldest_wait.map(duration),
        served: app.served,
        failed: app.failed,
        ready_workers: app.ready_workers,
        allocated_workers: app.allocated_workers as u32,
        running: app.running,
        last_error: app.last_error.unwrap_or_default(),
        calls_per_second: 0.0,
        queue_wait: None,
        run_time: None,
    }
}

fn duration(duration: Duration) -> prost_types::Duration {
    duration.try_into().unwrap_or_default()
}
