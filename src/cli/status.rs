//! `dirtyd status`: workers, apps and queues, for people or as JSON.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use bytesize::ByteSize;
use dirtyd_client::{
    Error,
    proto::v1::{
        AppStatus, ArbiterStatus, PeerStatus, Quantiles, StatusRequest, StatusResponse,
        WorkerStatus, admin_client::AdminClient,
    },
};
use serde_json::{Value as Json, json};

use super::{
    connect::{Target, block_on, explain},
    json::line,
    shown::{duration, seconds, state_name, whole_seconds},
    table,
};
use crate::printable::{count, lines, one_line};

const INTERVAL: Duration = Duration::from_secs(1);

/// `dirtyd status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print it again every second until interrupted
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    target: Target,
}

impl Status {
    /// Prints the status.
    ///
    /// # Errors
    /// dirtyd is not there.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = self.target.client().await?;
            let mut admin = AdminClient::new(client.channel());
            loop {
                let response = admin.status(StatusRequest {}).await.map_err(|status| {
                    anyhow::anyhow!("{}", explain(&Error::of(status, client.socket())))
                })?;
                self.print(&response.into_inner())?;
                if !self.watch {
                    return Ok(ExitCode::SUCCESS);
                }
                tokio::time::sleep(INTERVAL).await;
            }
        })
    }

    fn print(&self, status: &StatusResponse) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", line(&as_json(status)))?;
        } else {
            if self.watch && out.is_terminal() {
                write!(out, "\x1b[2J\x1b[H")?;
            }
            write!(out, "{}", as_text(status))?;
        }
        out.flush()
    }
}

fn as_text(status: &StatusResponse) -> String {
    let mut text = String::new();
    if let Some(arbiter) = &status.arbiter {
        text += &headline(arbiter);
    }
    let header = ["WORKER", "PID", "POOL", "STATE", "IN FLIGHT", "SERVED", "AGE", "MEMORY", "APPS"];
    let right = ["WORKER", "PID", "IN FLIGHT", "SERVED", "AGE", "MEMORY"];
    let rows: Vec<_> = status.workers.iter().map(worker_row).collect();
    text += "\n";
    text += &table::render(&header, &right, &rows);
    let right = ["WORKERS", "RUNNING", "QUEUED", "BYTES", "OLDEST WAIT", "SERVED", "FAILED"];
    let header = [&["APP", "POOL"], right.as_slice()].concat();
    let rows: Vec<_> = status.apps.iter().map(app_row).collect();
    text += "\n";
    text += &table::render(&header, &right, &rows);
    let header = ["USER", "CONNECTIONS", "HELD"];
    let rows: Vec<_> = status.peers.iter().map(peer_row).collect();
    text += "\n";
    text += &table::render(&header, &header[1..], &rows);
    for app in status.apps.iter().filter(|app| !app.last_error.is_empty()) {
        text += &format!("\n{}: {}\n", one_line(&app.app), lines(&app.last_error));
    }
    text
}

fn headline(arbiter: &ArbiterStatus) -> String {
    let started = arbiter.started_at.and_then(|at| SystemTime::try_from(at).ok());
    let up = started.and_then(|at| at.elapsed().ok()).unwrap_or_default();
    let draining = if arbiter.draining { ", draining" } else { "" };
    format!(
        "dirtyd {} `{}`, pid {}, up {}{draining}, {}, {}, {}, {} held for callers\n",
        arbiter.version,
        arbiter.proc_name,
        arbiter.pid,
        whole_seconds(up),
        count(arbiter.connections, "connection"),
        count(arbiter.calls, "call"),
        ByteSize::b(arbiter.memory_bytes),
        ByteSize::b(arbiter.held_bytes),
    )
}

fn worker_row(worker: &WorkerStatus) -> Vec<String> {
    let mut apps = worker.apps.clone();
    apps.extend(worker.failed_apps.iter().map(|app| format!("{app} (failed)")));
    vec![
        worker.id.to_string(),
        worker.pid.to_string(),
        worker.pool.clone(),
        state_name(worker.state()).to_owned(),
        format!("{}/{}", worker.in_flight, worker.threads),
        worker.served.to_string(),
        whole_seconds(duration(worker.age)),
        ByteSize::b(worker.memory_bytes).to_string(),
        apps.join(", "),
    ]
}

fn app_row(app: &AppStatus) -> Vec<String> {
    vec![
        app.app.clone(),
        app.pool.clone(),
        format!("{}/{}", app.ready_workers, app.allocated_workers),
        app.running.to_string(),
        format!("{}/{}", app.queued, app.max_queue),
        match app.max_queue_bytes {
            0 => ByteSize::b(app.queued_bytes).to_string(),
            most => format!("{}/{}", ByteSize::b(app.queued_bytes), ByteSize::b(most)),
        },
        app.oldest_wait.map_or("-".to_owned(), |wait| format!("{:.1?}", duration(Some(wait)))),
        app.served.to_string(),
        app.failed.to_string(),
    ]
}

fn peer_row(peer: &PeerStatus) -> Vec<String> {
    let held = ByteSize::b(peer.held_bytes).to_string();
    vec![one_line(&peer.peer).into_owned(), peer.connections.to_string(), held]
}

fn as_json(status: &StatusResponse) -> Json {
    let arbiter = status.arbiter.as_ref().map(|arbiter| {
        json!({
            "version": arbiter.version, "proc_name": arbiter.proc_name, "pid": arbiter.pid,
            "draining": arbiter.draining, "connections": arbiter.connections,
            "calls": arbiter.calls, "late_frames": arbiter.late_frames,
            "memory_bytes": arbiter.memory_bytes, "reloads": arbiter.reloads,
            "held_bytes": arbiter.held_bytes, "max_held_bytes": arbiter.max_held_bytes,
            "cpu_seconds": seconds(arbiter.cpu_time),
        })
    });
    let worker = |worker: &WorkerStatus| {
        json!({
            "id": worker.id, "pid": worker.pid, "pool": worker.pool,
            "state": state_name(worker.state()), "apps": worker.apps,
            "failed_apps": worker.failed_apps, "in_flight": worker.in_flight,
            "threads": worker.threads, "served": worker.served,
            "age_seconds": duration(worker.age).as_secs_f64(),
            "memory_bytes": worker.memory_bytes, "seat": worker.seat,
            "cpu_seconds": seconds(worker.cpu_time),
        })
    };
    let app = |app: &AppStatus| {
        json!({
            "app": app.app, "pool": app.pool, "queued": app.queued, "max_queue": app.max_queue,
            "queued_bytes": app.queued_bytes, "max_queue_bytes": app.max_queue_bytes,
            "oldest_wait_seconds": seconds(app.oldest_wait),
            "served": app.served, "failed": app.failed, "running": app.running,
            "ready_workers": app.ready_workers, "allocated_workers": app.allocated_workers,
            "last_error": app.last_error, "calls_per_second": app.calls_per_second,
            "queue_wait_seconds": quantiles(app.queue_wait.as_ref()),
            "run_time_seconds": quantiles(app.run_time.as_ref()),
        })
    };
    let peer = |peer: &PeerStatus| {
        json!({
            "peer": peer.peer, "connections": peer.connections, "held_bytes": peer.held_bytes,
        })
    };
    json!({
        "peers": status.peers.iter().map(peer).collect::<Vec<_>>(),
        "arbiter": arbiter,
        "workers": status.workers.iter().map(worker).collect::<Vec<_>>(),
        "apps": status.apps.iter().map(app).collect::<Vec<_>>(),
    })
}

/// Times that half of the calls need, and 99 of 100.
fn quantiles(times: Option<&Quantiles>) -> Json {
    times
        .map_or(Json::Null, |times| json!({ "p50": seconds(times.p50), "p99": seconds(times.p99) }))
}
