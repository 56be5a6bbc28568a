//! The present as a page is sent it, each second.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use dirtyd_client::proto::v1;
use serde::Serialize;

use super::json::{frame, line, millis, moment, name, timestamp};
use crate::printable;

/// The most workers, apps and calls of a picture.
const MOST: Most = Most { workers: 512, apps: 256, calls: 100 };
/// The most bytes of a picture. If it has more, it shows fewer.
const MOST_BYTES: usize = 512 << 10;
/// The longest name, in characters.
const LONGEST_NAME: usize = 255;
/// The longest error of an app, in characters: the last ones, which say what it was.
const LONGEST_ERROR: usize = 2000;

#[derive(Debug, Clone, Copy)]
struct Most {
    workers: usize,
    apps: usize,
    calls: usize,
}

/// The present.
#[derive(Debug, Serialize)]
pub struct Picture {
    /// When it is.
    now: f64,
    arbiter: Arbiter,
    /// The workers, oldest first.
    workers: Vec<Worker>,
    /// The apps, in the order of the configuration.
    apps: Vec<App>,
    /// The calls that wait or run, oldest first.
    calls: Vec<Call>,
    /// How many more there are of each.
    left_out: LeftOut,
}

/// How much a picture does not show.
#[derive(Debug, Default, Serialize)]
pub struct LeftOut {
    workers: usize,
    apps: usize,
    calls: usize,
}

/// The arbiter, and sums over all apps.
#[derive(Debug, Serialize)]
pub struct Arbiter {
    /// `proc_name`.
    name: String,
    version: String,
    pid: i32,
    started_at: f64,
    draining: bool,
    connections: u32,
    /// The calls that ended with a result.
    served: u64,
    /// The calls that ended with an error.
    failed: u64,
    /// The calls that wait.
    queued: u64,
    /// The calls that run.
    running: u64,
    memory_bytes: u64,
    held_bytes: u64,
    max_held_bytes: u64,
    reloads: u64,
}

/// A worker.
#[derive(Debug, Serialize)]
pub struct Worker {
    id: u64,
    pid: i32,
    pool: String,
    seat: u32,
    /// `BOOTING`, `READY` or `DRAINING`.
    state: String,
    /// The apps that it can serve, as places in [`Picture::apps`].
    apps: Vec<usize>,
    /// The apps that failed to load in it, in the same way.
    failed_apps: Vec<usize>,
    in_flight: u32,
    threads: u32,
    served: u64,
    age: Option<f64>,
    memory_bytes: u64,
}

/// An app.
#[derive(Debug, Serialize)]
pub struct App {
    app: String,
    pool: String,
    queued: u32,
    max_queue: u32,
    oldest_wait: Option<f64>,
    served: u64,
    failed: u64,
    ready_workers: u32,
    allocated_workers: u32,
    running: u32,
    /// Why it cannot be served; empty if it can.
    last_error: String,
    /// The figures of the last minute.
    calls_per_second: f64,
    queue_p50: Option<f64>,
    queue_p99: Option<f64>,
    run_p50: Option<f64>,
    run_p99: Option<f64>,
}

/// A call that waits or runs.
#[derive(Debug, Serialize)]
pub struct Call {
    id: u64,
    app: String,
    action: String,
    /// `QUEUED`, `RUNNING` or `ABANDONED`.
    state: String,
    stream: bool,
    age: Option<f64>,
    running_for: Option<f64>,
    time_left: Option<f64>,
    /// 0 while it waits.
    worker: u64,
    /// 0 while it waits.
    pid: i32,
    peer: String,
    request_id: String,
    chunks: u64,
    /// Why it waits; empty if it does not.
    waits_for: String,
}

/// The frame of a [`Picture`] made of what the service Admin answers. It has at most
/// 512 KiB, whatever there is.
pub fn picture(
    now: SystemTime,
    status: &v1::StatusResponse,
    calls: &v1::ListCallsResponse,
) -> Bytes {
    let mut most = MOST;
    loop {
        let frame = frame("picture", &Picture::of(now, status, calls, most));
        if frame.len() <= MOST_BYTES || most.workers + most.apps + most.calls == 0 {
            return frame;
        }
        let Most { workers, apps, calls } = most;
        most = Most { workers: workers / 2, apps: apps / 2, calls: calls / 2 };
    }
}

impl Picture {
    fn of(
        now: SystemTime,
        status: &v1::StatusResponse,
        calls: &v1::ListCallsResponse,
        most: Most,
    ) -> Self {
        let apps = &status.apps[..status.apps.len().min(most.apps)];
        let places = apps.iter().enumerate().map(|(place, app)| (app.app.as_str(), place));
        let places: HashMap<_, _> = places.collect();
        let workers = status.workers.iter().take(most.workers);
        let left_out = LeftOut {
            workers: status.workers.len().saturating_sub(most.workers),
            apps: status.apps.len() - apps.len(),
            calls: calls.calls.len().saturating_sub(most.calls) + calls.left_out as usize,
        };
        Self {
            now: moment(now),
            arbiter: Arbiter::of(status),
            workers: workers.map(|worker| Worker::of(worker, &places)).collect(),
            apps: apps.iter().map(App::of).collect(),
            calls: calls.calls.iter().take(most.calls).map(Call::of).collect(),
            left_out,
        }
    }
}

impl Arbiter {
    fn of(status: &v1::StatusResponse) -> Self {
        let arbiter = status.arbiter.clone().unwrap_or_default();
        let sum = |of: fn(&v1::AppStatus) -> u64| status.apps.iter().map(of).sum();
        Self {
            name: line(&arbiter.proc_name, LONGEST_NAME),
            version: arbiter.version,
            pid: arbiter.pid,
            started_at: arbiter.started_at.map_or(0.0, timestamp),
            draining: arbiter.draining,
            connections: arbiter.connections,
            served: sum(|app| app.served),
            failed: sum(|app| app.failed),
            queued: sum(|app| app.queued.into()),
            running: sum(|app| app.running.into()),
            memory_bytes: arbiter.memory_bytes,
            held_bytes: arbiter.held_bytes,
            max_held_bytes: arbiter.max_held_bytes,
            reloads: arbiter.reloads,
        }
    }
}

impl Worker {
    /// `places` are those of the apps in the picture.
    fn of(worker: &v1::WorkerStatus, places: &HashMap<&str, usize>) -> Self {
        let places = |names: &[String]| {
            names.iter().filter_map(|name| places.get(name.as_str()).copied()).collect()
        };
        Self {
            id: worker.id,
            pid: worker.pid,
            pool: line(&worker.pool, LONGEST_NAME),
            seat: worker.seat,
            state: name(worker.state().as_str_name(), "WORKER_STATE_"),
            apps: places(&worker.apps),
            failed_apps: places(&worker.failed_apps),
            in_flight: worker.in_flight,
            threads: worker.threads,
            served: worker.served,
            age: worker.age.and_then(time),
            memory_bytes: worker.memory_bytes,
        }
    }
}

impl App {
    fn of(app: &v1::AppStatus) -> Self {
        let of = |times: Option<v1::Quantiles>| {
            let times = times.unwrap_or_default();
            (times.p50.and_then(time), times.p99.and_then(time))
        };
        let (queue_p50, queue_p99) = of(app.queue_wait);
        let (run_p50, run_p99) = of(app.run_time);
        let error = printable::lines(&app.last_error);
        let from = error.char_indices().nth_back(LONGEST_ERROR).map_or(0, |(from, _)| from);
        Self {
            app: line(&app.app, LONGEST_NAME),
            pool: line(&app.pool, LONGEST_NAME),
            queued: app.queued,
            max_queue: app.max_queue,
            oldest_wait: app.oldest_wait.and_then(time),
            served: app.served,
            failed: app.failed,
            ready_workers: app.ready_workers,
            allocated_workers: app.allocated_workers,
            running: app.running,
            last_error: error[from..].to_owned(),
            calls_per_second: app.calls_per_second,
            queue_p50,
            queue_p99,
            run_p50,
            run_p99,
        }
    }
}

impl Call {
    fn of(call: &v1::CallStatus) -> Self {
        Self {
            id: call.id,
            app: line(&call.app, LONGEST_NAME),
            action: line(&call.action, LONGEST_NAME),
            state: name(call.state().as_str_name(), "CALL_STATE_"),
            stream: call.stream,
            age: call.age.and_then(time),
            running_for: call.running_for.and_then(time),
            time_left: call.time_left.and_then(time),
            worker: call.worker_id,
            pid: call.worker_pid,
            peer: line(&call.peer, LONGEST_NAME),
            request_id: line(&call.request_id, LONGEST_NAME),
            chunks: call.chunks,
            waits_for: line(&call.waits_for, LONGEST_NAME),
        }
    }
}

fn time(duration: prost_types::Duration) -> Option<f64> {
    Duration::try_from(duration).ok().map(millis)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    fn read(frame: &Bytes) -> Json {
        let text = std::str::from_utf8(frame).expect("text");
        let data = text.strip_prefix("event: picture\ndata: ").expect("a picture");
        serde_json::from_str(data.trim_end()).expect("JSON in one line")
    }

    fn seconds(seconds: u64) -> Option<prost_types::Duration> {
        Duration::from_secs(seconds).try_into().ok()
    }

    #[test]
    fn it_says_what_status_and_calls_say() {
        let app = |name: &str, served, queued| v1::AppStatus {
            app: name.to_owned(),
            served,
            queued,
            failed: 1,
            run_time: Some(v1::Quantiles { p50: seconds(1), p99: seconds(2) }),
            ..v1::AppStatus::default()
        };
        let worker = v1::WorkerStatus {
            id: 3,
            state: v1::WorkerState::Ready.into(),
            apps: vec!["b:B".to_owned()],
            age: seconds(60),
            ..v1::WorkerStatus::default()
        };
        let status = v1::StatusResponse {
            arbiter: Some(v1::ArbiterStatus { draining: true, ..v1::ArbiterStatus::default() }),
            workers: vec![worker],
            apps: vec![app("a:A", 5, 2), app("b:B", 7, 3)],
            peers: Vec::new(),
        };
        let call = v1::CallStatus {
            id: 9,
            action: "<b>\nbold".to_owned(),
            state: v1::CallState::Queued.into(),
            age: seconds(4),
            ..v1::CallStatus::default()
        };
        let calls = v1::ListCallsResponse { calls: vec![call], left_out: 8 };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let picture = read(&picture(now, &status, &calls));
        assert_eq!(picture["now"], 5000.0);
        let arbiter = &picture["arbiter"];
        assert_eq!((&arbiter["served"], &arbiter["failed"]), (&12.into(), &2.into()));
        assert_eq!((&arbiter["queued"], &arbiter["draining"]), (&5.into(), &true.into()));
        assert_eq!(picture["workers"][0]["apps"], Json::from([1]));
        assert_eq!(picture["workers"][0]["state"], "READY");
        assert_eq!(picture["workers"][0]["age"], 60_000.0);
        assert_eq!(picture["apps"][1]["run_p99"], 2000.0);
        assert_eq!(picture["apps"][1]["queue_p99"], Json::Null);
        assert_eq!(picture["calls"][0]["action"], "<b>\\nbold");
        assert_eq!(picture["left_out"]["calls"], 8);
    }

    #[test]
    fn it_is_small_whatever_there_is() {
        let (name, error) = ("\u{1}".repeat(2000), "é\n".repeat(100_000));
        let app =
            v1::AppStatus { app: name.clone(), last_error: error, ..v1::AppStatus::default() };
        let worker =
            v1::WorkerStatus { apps: vec![name.clone(); 10], ..v1::WorkerStatus::default() };
        let call = v1::CallStatus { action: name.clone(), peer: name, ..v1::CallStatus::default() };
        let status = v1::StatusResponse {
            arbiter: None,
            workers: vec![worker; 2000],
            apps: vec![app; 1000],
            peers: Vec::new(),
        };
        let calls = v1::ListCallsResponse { calls: vec![call; 1000], left_out: 0 };
        let frame = picture(SystemTime::now(), &status, &calls);
        assert!(frame.len() <= MOST_BYTES, "{}", frame.len());
        let picture = read(&frame);
        for (of, all) in [("workers", 2000), ("apps", 1000), ("calls", 1000)] {
            let shown = picture[of].as_array().expect("a list").len();
            assert!(shown > 0, "{of}");
            assert_eq!(picture["left_out"][of], all - shown, "{of}");
        }
        let error = picture["apps"][0]["last_error"].as_str().expect("text");
        assert!(error.ends_with("é\n") && error.chars().count() <= LONGEST_ERROR + 1);
    }
}
