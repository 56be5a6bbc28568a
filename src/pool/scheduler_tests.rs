//! The scheduler against a plain model that recomputes everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    ids::AppId,
    scheduler::{Scheduler, Verdict},
};
use crate::call::CallId;

#[derive(Debug, Clone)]
enum Op {
    Submit { app: usize, deadline: u64 },
    Finish { worker: u64 },
    Cancel { nth: usize },
    Pass { seconds: u64 },
    Retire { worker: u64 },
    Die { worker: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..3usize, 1..50u64).prop_map(|(app, deadline)| Op::Submit { app, deadline }),
        4 => (0..5u64).prop_map(|worker| Op::Finish { worker }),
        1 => (0..10usize).prop_map(|nth| Op::Cancel { nth }),
        1 => (1..20u64).prop_map(|seconds| Op::Pass { seconds }),
        1 => (0..5u64).prop_map(|worker| Op::Retire { worker }),
        1 => (0..5u64).prop_map(|worker| Op::Die { worker }),
    ]
}

/// Apps 0 and 1 are in all workers, app 2 in workers 0 and 1 only.
fn has(worker: u64, app: usize) -> bool {
    app < 2 || worker < 2
}

const THREADS: u32 = 2;
const LIMIT: usize = 3;

#[derive(Default)]
struct Model {
    waiting: BTreeMap<u64, (usize, Instant)>,
    running: BTreeMap<u64, (u64, usize, Instant)>,
    alive: BTreeMap<u64, bool>,
    given: BTreeMap<u64, u64>,
    turn: u64,
}

impl Model {
    fn load(&self, worker: u64) -> u32 {
        self.running.values().filter(|(at, _, _)| *at == worker).count() as u32
    }

    fn best(&self, app: usize) -> Option<u64> {
        (self.alive.iter())
            .filter(|(w, accepting)| **accepting && has(**w, app) && self.load(**w) < THREADS)
            .map(|(w, _)| *w)
            .min_by_key(|w| (self.load(*w), self.given.get(w).copied().unwrap_or(0), *w))
    }

    fn start(&mut self, worker: u64, id: u64, app: usize, deadline: Instant) {
        self.turn += 1;
        self.given.insert(worker, self.turn);
        self.running.insert(id, (worker, app, deadline));
    }

    fn oldest_for(&self, worker: u64) -> Option<u64> {
        (self.alive.get(&worker) == Some(&true) && self.load(worker) < THREADS).then_some(())?;
        self.waiting.iter().find(|(_, (app, _))| has(worker, *app)).map(|(id, _)| *id)
    }
}

fn run(ops: Vec<Op>) {
    let start = Instant::now();
    let mut now = start;
    let mut real = Scheduler::default();
    let mut model = Model::default();
    for app in 0..3 {
        real.set_app(AppId(app), LIMIT);
    }
    for worker in 0..5 {
        real.add_worker(worker, THREADS);
        model.alive.insert(worker, true);
        for app in (0..3).filter(|app| has(worker, *app)) {
            real.grant(worker, AppId(app));
        }
    }
    for (id, op) in (1..).zip(ops) {
        match op {
            Op::Submit { app, deadline } => {
                let deadline = now + Duration::from_secs(deadline);
                let verdict = real.submit(AppId(app), CallId(id), deadline, id);
                let queued = model.waiting.values().filter(|(a, _)| *a == app).count();
                match model.best(app) {
                    Some(worker) => {
                        assert_eq!(verdict, Verdict::Assigned(worker, id));
                        model.start(worker, id, app, deadline);
                    }
                    None if queued < LIMIT => {
                        assert_eq!(verdict, Verdict::Queued);
                        model.waiting.insert(id, (app, deadline));
                    }
                    None => assert_eq!(verdict, Verdict::Full(id)),
                }
            }
            Op::Finish { worker } => {
                let Some(done) =
                    model.running.iter().find(|(_, (w, _, _))| *w == worker).map(|(id, _)| *id)
                else {
                    continue;
                };
                model.running.remove(&done);
                real.release(worker);
                let next = real.next_for(worker).map(|taken| taken.item);
                assert_eq!(next, model.oldest_for(worker));
                if let Some(id) = next {
                    let (app, deadline) = model.waiting.remove(&id).expect("waiting");
                    model.start(worker, id, app, deadline);
                }
            }
            Op::Cancel { nth } => {
                let Some((id, (app, _))) =
                    model.waiting.iter().nth(nth).map(|(id, row)| (*id, *row))
                else {
                    continue;
                };
                assert_eq!(real.take(AppId(app), CallId(id)).map(|taken| taken.item), Some(id));
                model.waiting.remove(&id);
            }
            Op::Pass { seconds } => {
                now += Duration::from_secs(seconds);
                let mut expired = BTreeSet::new();
                while let Some(taken) = real.expire(now) {
                    expired.insert(taken.item);
                }
                let due: BTreeSet<u64> = (model.waiting.iter())
                    .filter(|(_, (_, deadline))| *deadline <= now)
                    .map(|(id, _)| *id)
                    .collect();
                assert_eq!(expired, due);
                model.waiting.retain(|id, _| !due.contains(id));
            }
            Op::Retire { worker } => {
                real.retire(worker);
                if let Some(accepting) = model.alive.get_mut(&worker) {
                    *accepting = false;
                }
            }
            Op::Die { worker } => {
                real.remove_worker(worker);
                model.alive.remove(&worker);
                // It had started none of its calls: they all go back.
                let back: Vec<_> = (model.running.iter())
                    .filter(|(_, (w, _, _))| *w == worker)
                    .map(|(id, (_, app, deadline))| (*id, *app, *deadline))
                    .collect();
                model.running.retain(|_, (w, _, _)| *w != worker);
                for (id, app, deadline) in back {
                    real.put_back(AppId(app), CallId(id), deadline, id);
                    model.waiting.insert(id, (app, deadline));
                    while let Some((chosen, taken)) = real.next_for_app(AppId(app)) {
                        assert_eq!(Some(chosen), model.best(app));
                        let (app, deadline) = model.waiting.remove(&taken.item).expect("waiting");
                        model.start(chosen, taken.item, app, deadline);
                    }
                }
            }
        }
        let idle_and_wanted = model
            .waiting
            .iter()
            .any(|(_, (app, deadline))| *deadline > now && model.best(*app).is_some());
        assert!(!idle_and_wanted, "a call waits though a worker is free");
        assert_eq!(real.waiting(), model.waiting.len());
        assert_eq!(real.next_deadline(), model.waiting.values().map(|(_, at)| *at).min());
    }
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..200)) {
        run(ops);
    }
}

#[test]
fn an_even_load_spreads_evenly_to_the_call() {
    let mut scheduler = Scheduler::default();
    scheduler.set_app(AppId(0), 0);
    for worker in 0..4 {
        scheduler.add_worker(worker, 1);
        scheduler.grant(worker, AppId(0));
    }
    let mut given = [0; 4];
    for id in 0..400 {
        match scheduler.submit(AppId(0), CallId(id), Instant::now(), ()) {
            Verdict::Assigned(worker, ()) => {
                given[worker as usize] += 1;
                scheduler.release(worker);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(given, [100; 4]);
}
