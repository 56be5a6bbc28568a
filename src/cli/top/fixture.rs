//! A dirtyd that there is not, for tests: two apps, three workers, some calls.

use std::time::{Duration, Instant, SystemTime};

use dirtyd_client::proto::v1::{
    AppStatus, ArbiterStatus, CallState, CallStatus, EventKind, Quantiles, StatusResponse,
    WatchEventsResponse, WorkerState, WorkerStatus,
};

use super::model::{Input, Model, Picture};

/// The moment at which tests begin, and the wall clock of that moment.
pub struct Clock(pub Instant);

impl Clock {
    /// Now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// So many seconds later.
    pub fn after(&self, seconds: u64) -> Instant {
        self.0 + Duration::from_secs(seconds)
    }

    /// The wall clock then.
    pub fn wall(&self, seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
    }

    /// A picture of that moment.
    pub fn picture(&self, seconds: u64) -> Picture {
        Picture {
            taken: self.after(seconds),
            wall: self.wall(seconds),
            status: status(self, seconds),
            calls: Ok(calls()),
            left_out: 0,
        }
    }

    /// A model with the pictures of the first seconds, and two events.
    pub fn model(&self) -> Model {
        let mut model = Model::new(self.0);
        for seconds in 0..4 {
            let picture = Box::new(self.picture(seconds));
            assert_eq!(model.on(Input::Picture(picture), self.after(seconds)), []);
        }
        for event in [
            event(self, 1, EventKind::WorkerReady, "worker 3 (pid 103) is ready after 1.2s"),
            event(self, 2, EventKind::CallTimedOut, "shop:Shop.hang has timed out\nmore"),
        ] {
            model.on(Input::Event(Box::new(event)), self.after(3));
        }
        model
    }
}

/// An event.
pub fn event(clock: &Clock, seconds: u64, kind: EventKind, message: &str) -> WatchEventsResponse {
    WatchEventsResponse {
        time: Some(clock.wall(seconds).into()),
        kind: kind.into(),
        message: message.to_owned(),
        ..WatchEventsResponse::default()
    }
}

fn millis(millis: u64) -> Option<prost_types::Duration> {
    Duration::from_millis(millis).try_into().ok()
}

fn status(clock: &Clock, seconds: u64) -> StatusResponse {
    let arbiter = ArbiterStatus {
        version: "1.2.3".to_owned(),
        pid: 99,
        started_at: Some((clock.wall(0) - Duration::from_secs(7_380)).into()),
        connections: 5,
        calls: 4,
        memory_bytes: 30 << 20,
        proc_name: "web".to_owned(),
        cpu_time: millis(5_000 + 20 * seconds),
        ..ArbiterStatus::default()
    };
    let shop = AppStatus {
        app: "shop:Shop".to_owned(),
        pool: "default".to_owned(),
        queued: [0, 9, 4, 1][seconds as usize % 4],
        max_queue: 100,
        running: 2,
        served: 1_000,
        failed: 10 + 2 * seconds,
        ready_workers: 2,
        allocated_workers: 2,
        calls_per_second: 12.34,
        queue_wait: Some(Quantiles { p50: millis(1), p99: millis(1_500) }),
        run_time: Some(Quantiles { p50: millis(20), p99: millis(125_000) }),
        ..AppStatus::default()
    };
    let model = AppStatus {
        app: "ml.embed:Model".to_owned(),
        pool: "gpu".to_owned(),
        max_queue: 4,
        queued: 4,
        allocated_workers: 1,
        last_error:
            "Traceback (most recent call last):\n  File \"embed.py\", line 3\nOSError: no weights\n"
                .to_owned(),
        ..AppStatus::default()
    };
    let worker = |id: u64, pool: &str, seat: u32, state: WorkerState| WorkerStatus {
        id,
        pid: 100 + id as i32,
        pool: pool.to_owned(),
        seat,
        state: state.into(),
        threads: 1,
        age: millis(1_000 * (3_700 / id + seconds)),
        memory_bytes: (20 * id) << 20,
        cpu_time: millis(id * 250 * seconds),
        ..WorkerStatus::default()
    };
    let apps = vec!["shop:Shop".to_owned()];
    let workers = vec![
        WorkerStatus {
            in_flight: 1,
            served: 7,
            apps: apps.clone(),
            ..worker(1, "default", 0, WorkerState::Ready)
        },
        WorkerStatus { in_flight: 1, apps, ..worker(2, "default", 1, WorkerState::Ready) },
        WorkerStatus {
            failed_apps: vec!["ml.embed:Model".to_owned()],
            ..worker(3, "gpu", 0, WorkerState::Booting)
        },
    ];
    StatusResponse { arbiter: Some(arbiter), workers, apps: vec![shop, model], peers: Vec::new() }
}

fn calls() -> Vec<CallStatus> {
    let call = |id: u64, action: &str, age: u64| CallStatus {
        id: 1_790_000_000_000_000 + id,
        app: "shop:Shop".to_owned(),
        action: action.to_owned(),
        state: CallState::Running.into(),
        age: millis(age),
        peer: "uid 33 (pid 4711)".to_owned(),
        request_id: format!("req-{id}"),
        ..CallStatus::default()
    };
    vec![
        CallStatus {
            running_for: millis(62_000),
            worker_id: 1,
            worker_pid: 101,
            ..call(1, "hang", 62_500)
        },
        CallStatus {
            state: CallState::Abandoned.into(),
            running_for: millis(5_000),
            time_left: millis(2_000),
            worker_id: 2,
            worker_pid: 102,
            ..call(2, "price", 5_000)
        },
        CallStatus {
            state: CallState::Queued.into(),
            time_left: millis(1_000),
            waits_for: "a free slot in 2 workers".to_owned(),
            ..call(3, "price", 400)
        },
    ]
}
