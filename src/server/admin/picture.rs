//! The picture for `status`: what the pool and the edge know, as messages.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use dirtyd_client::proto::v1;

use crate::{
    call::Principal,
    observe::history::{Minute, Quantiles},
    pool::{AppSnapshot, Snapshot, WorkerSnapshot, WorkerState},
    process::{cpu::cpu_time, memory::resident_bytes},
    server::{admission::Users, counter::Counter, held::Held},
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
    /// The users, the one with the most held first.
    pub fn peers(&self) -> Vec<v1::PeerStatus> {
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

/// The arbiter itself, which has run since `started` under the name `proc_name`.
pub fn arbiter_status(
    snapshot: &Snapshot,
    counts: &Counts,
    started: SystemTime,
    proc_name: &str,
) -> v1::ArbiterStatus {
    let pid = std::process::id() as i32;
    v1::ArbiterStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid,
        started_at: Some(started.into()),
        draining: snapshot.draining,
        connections: counts.connections.count(),
        calls: snapshot.calls as u32,
        late_frames: snapshot.late_frames,
        memory_bytes: resident_bytes(pid).unwrap_or(0),
        reloads: snapshot.reloads,
        proc_name: proc_name.to_owned(),
        held_bytes: counts.held.bytes(),
        max_held_bytes: counts.held.limit(),
        cpu_time: cpu_time(pid).map(duration),
    }
}

/// One worker.
pub fn worker_status(worker: WorkerSnapshot) -> v1::WorkerStatus {
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
        seat: worker.seat as u32,
        cpu_time: Some(duration(worker.cpu_time)),
    }
}

/// One app, and its last minute.
pub fn app_status(app: AppSnapshot, minute: Minute) -> v1::AppStatus {
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
        calls_per_second: minute.calls_per_second,
        queue_wait: minute.queue_wait.map(quantiles),
        run_time: minute.run_time.map(quantiles),
    }
}

fn quantiles(times: Quantiles) -> v1::Quantiles {
    v1::Quantiles { p50: Some(duration(times.p50)), p99: Some(duration(times.p99)) }
}

/// A time, as a message has it.
pub fn duration(duration: Duration) -> prost_types::Duration {
    duration.try_into().unwrap_or_default()
}
