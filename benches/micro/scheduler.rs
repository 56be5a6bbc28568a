//! The scheduler and the queues: what it costs to place a call and to free its
//! slot again, with few and many workers, apps and waiting calls.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion};
use dirtyd::{
    config::QueueLimits,
    internals::{AppId, CallId, Principal, Quota, Scheduler, Verdict, Wait, WorkerId},
};

const WORKERS: [u64; 2] = [4, 64];
const APPS: [usize; 2] = [1, 100];
const WAITING: [u64; 2] = [0, 10_000];
/// Of each call, in bytes.
const SIZE: u64 = 100;
/// Those that call, in turns.
const USERS: u64 = 8;

pub fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scheduler");
    for waiting in WAITING {
        for workers in WORKERS {
            for apps in APPS {
                let name = format!("{workers} workers, {apps} apps");
                let id = BenchmarkId::new(name, format!("{waiting} waiting"));
                group.bench_function(id, |bencher| {
                    let mut pool = Pool::new(workers, apps);
                    if waiting > 0 {
                        pool.fill(waiting);
                        bencher.iter(|| pool.busy_turn());
                    } else {
                        bencher.iter(|| pool.idle_turn());
                    }
                });
            }
        }
    }
}

/// A scheduler whose workers, one slot each, have all apps.
struct Pool {
    scheduler: Scheduler<u64>,
    workers: u64,
    apps: usize,
    next: u64,
    epoch: Instant,
}

impl Pool {
    fn new(workers: u64, apps: usize) -> Self {
        let mut scheduler = Scheduler::default();
        let limits = QueueLimits { calls: usize::MAX, bytes: Some(u64::MAX) };
        for app in 0..apps {
            scheduler.set_app(AppId(app), limits);
        }
        for worker in 0..workers {
            scheduler.add_worker(worker, 1);
            (0..apps).for_each(|app| scheduler.grant(worker, AppId(app)));
        }
        Self { scheduler, workers, apps, next: 0, epoch: Instant::now() }
    }

    /// The next call, of the apps in turn.
    fn submit(&mut self) -> Verdict<u64> {
        self.next += 1;
        let app = AppId(self.next as usize % self.apps);
        let deadline = self.epoch + Duration::from_micros(self.next);
        let wait = Wait {
            id: CallId(self.next),
            deadline: deadline.into(),
            bytes: SIZE,
            principal: Principal::Uid((self.next % USERS) as u32),
            quota: Quota::default(),
        };
        self.scheduler.submit(app, wait, self.next)
    }

    /// Takes every slot, and lets a number of calls wait behind.
    fn fill(&mut self, waiting: u64) {
        for _ in 0..self.workers {
            assert!(matches!(self.submit(), Verdict::Assigned(..)));
        }
        for _ in 0..waiting {
            assert_eq!(self.submit(), Verdict::Queued(Vec::new()));
        }
    }

    /// A call comes, a worker takes it, and is free again; nothing waits.
    fn idle_turn(&mut self) {
        let Verdict::Assigned(worker, call) = self.submit() else {
            panic!("no worker is free");
        };
        black_box(call);
        self.scheduler.release(worker);
        assert_eq!(self.scheduler.next_for(worker), None);
    }

    /// A slot frees and takes the oldest call; another comes to the end of the queue.
    fn busy_turn(&mut self) {
        let worker: WorkerId = self.next % self.workers;
        self.scheduler.release(worker);
        black_box(self.scheduler.next_for(worker).expect("calls wait"));
        assert_eq!(self.submit(), Verdict::Queued(Vec::new()));
    }
}
