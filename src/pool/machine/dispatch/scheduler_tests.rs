//! The scheduler against a plain model that recomputes everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    super::ids::AppId,
    queue::{Full, Wait},
    scheduler::{Scheduler, Verdict},
};
use crate::{
    call::{CallId, Principal, Quota},
    config::QueueLimits,
};

#[derive(Debug, Clone)]
enum Op {
    Submit { app: usize, uid: u32, deadline: u64, bytes: u64 },
    Finish { worker: u64 },
    Cancel { nth: usize },
    Pass { seconds: u64 },
    Retire { worker: u64 },
    Die { worker: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..3usize, 0..3u32, 1..50u64, 0..9u64)
            .prop_map(|(app, uid, deadline, bytes)| Op::Submit { app, uid, deadline, bytes }),
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
/// Either may be the one that is met first, and one call alone may be above.
const LIMITS: QueueLimits = QueueLimits { calls: 3, bytes: Some(7) };

#[derive(Clone, Copy)]
struct Waiting {
    app: usize,
    uid: u32,
    deadline: Instant,
    bytes: u64,
}

impl Waiting {
    fn wait(self, id: u64) -> Wait {
        Wait {
            id: CallId(id),
            deadline: self.deadline.into(),
            bytes: self.bytes,
            principal: Principal::Uid(self.uid),
            quota: Quota::default(),
        }
    }
}

#[derive(Default)]
struct Model {
    waiting: BTreeMap<u64, Waiting>,
    running: BTreeMap<u64, (u64, Waiting)>,
    alive: BTreeMap<u64, bool>,
    given: BTreeMap<u64, u64>,
    turn: u64,
}

impl Model {
    fn load(&self, worker: u64) -> u32 {
        self.running.values().filter(|(at, _)| *at == worker).count() as u32
    }

    fn best(&self, app: usize) -> Option<u64> {
        (self.alive.iter())
            .filter(|(w, accepting)| **accepting && has(**w, app) && self.load(**w) < THREADS)
            .map(|(w, _)| *w)
            .min_by_key(|w| (self.load(*w), self.given.get(w).copied().unwrap_or(0), *w))
    }

    fn start(&mut self, worker: u64, id: u64, call: Waiting) {
        self.turn += 1;
        self.given.insert(worker, self.turn);
        self.running.insert(id, (worker, call));
    }

    /// How many calls of an app wait, and their bytes.
    fn queued(&self, app: usize) -> (usize, u64) {
        let calls = || self.waiting.values().filter(|call| call.app == app);
        (calls().count(), calls().map(|call| call.bytes).sum())
    }

    fn verdict(&self, id: u64, call: Waiting) -> Verdict<u64> {
        let (calls, bytes) = self.queued(call.app);
        match self.best(call.app) {
            Some(worker) => Verdict::Assigned(worker, id),
            None if calls >= LIMITS.calls => Verdict::Full(Full::Calls, id),
            None if calls > 0 && LIMITS.bytes < Some(bytes + call.bytes) => {
                Verdict::Full(Full::Bytes, id)
            }
            None => Verdict::Queued(Vec::new()),
        }
    }

    /// The app whose turn it is in a worker: that of the oldest call.
    fn app_for(&self, worker: u64) -> Option<usize> {
        (self.alive.get(&worker) == Some(&true) && self.load(worker) < THREADS).then_some(())?;
        self.waiting.values().map(|call| call.app).find(|app| has(worker, *app))
    }

    /// A call leaves the queue of an app for a worker: it is the oldest of its
    /// user.
    fn leaves(&mut self, app: usize, id: u64) -> Waiting {
        let call = self.waiting.remove(&id).expect("waiting");
        assert_eq!(call.app, app);
        let mut of_user =
            self.waiting.iter().filter(|(_, row)| (row.app, row.uid) == (app, call.uid));
        assert!(of_user.all(|(other, _)| *other > id), "first in, first out for each user");
        call
    }

    /// Calls had to leave for one that found the queue full. Each is the newest of
    /// the user with the most, who has more than the one that comes.
    fn displaced(&mut self, id: u64, call: Waiting, left: &[u64]) {
        let Verdict::Full(mut full, _) = self.verdict(id, call) else {
            return assert!(left.is_empty(), "nobody leaves while there is room");
        };
        for victim in left {
            let row = self.waiting[victim];
            let of = |uid: u32| {
                let calls = self
                    .waiting
                    .iter()
                    .filter(move |(_, row)| (row.app, row.uid) == (call.app, uid));
                let bytes: u64 = calls.clone().map(|(_, row)| row.bytes).sum();
                (calls.clone().count() as u64, bytes, calls.map(|(id, _)| *id).max())
            };
            let measure = |uid| if full == Full::Bytes { of(uid).1 } else { of(uid).0 };
            let own = if full == Full::Bytes { call.bytes } else { 1 };
            assert_ne!(row.uid, call.uid);
            assert!(
                (0..3).filter(|uid| *uid != call.uid).all(|uid| measure(uid) <= measure(row.uid))
            );
            assert!(measure(row.uid) > measure(call.uid), "it has more already");
            assert!(measure(row.uid) * 2 > measure(call.uid) + own);
            assert_eq!(of(row.uid).2, Some(*victim), "the newest leaves");
            self.waiting.remove(victim);
            if let Verdict::Full(now, _) = self.verdict(id, call) {
                full = now;
            }
        }
        assert_eq!(self.verdict(id, call), Verdict::Queued(Vec::new()), "nobody leaves in vain");
    }
}

fn run(ops: Vec<Op>) {
    let start = Instant::now();
    let mut now = start;
    let mut real = Scheduler::default();
    let mut model = Model::default();
    for app in 0..3 {
        real.set_app(AppId(app), LIMITS);
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
            Op::Submit { app, uid, deadline, bytes } => {
                let deadline = now + Duration::from_secs(deadline);
                let call = Waiting { app, uid, deadline, bytes };
                let verdict = real.submit(AppId(app), call.wait(id), id);
                if let Verdict::Queued(left) = &verdict {
                    let left: Vec<u64> = left.iter().map(|taken| taken.item).collect();
                    model.displaced(id, call, &left);
                } else {
                    assert_eq!(verdict, model.verdict(id, call));
                }
                match verdict {
                    Verdict::Assigned(worker, _) => model.start(worker, id, call),
                    Verdict::Queued(_) => drop(model.waiting.insert(id, call)),
                    Verdict::Full(..) => {}
                }
            }
            Op::Finish { worker } => {
                let Some(done) =
                    model.running.iter().find(|(_, (w, _))| *w == worker).map(|(id, _)| *id)
                else {
                    continue;
                };
                model.running.remove(&done);
                real.release(worker);
                let (next, app) = (real.next_for(worker), model.app_for(worker));
                assert_eq!(next.as_ref().map(|taken| taken.app), app.map(AppId));
                if let (Some(taken), Some(app)) = (next, app) {
                    let call = model.leaves(app, taken.item);
                    model.start(worker, taken.item, call);
                }
            }
            Op::Cancel { nth } => {
                let Some((id, call)) = model.waiting.iter().nth(nth).map(|(id, row)| (*id, *row))
                else {
                    continue;
                };
                let taken = real.take(AppId(call.app), CallId(id));
                assert_eq!(taken.map(|taken| taken.item), Some(id));
                model.waiting.remove(&id);
            }
            Op::Pass { seconds } => {
                now += Duration::from_secs(seconds);
                let mut expired = BTreeSet::new();
                while let Some(taken) = real.expire(now) {
                    expired.insert(taken.item);
                }
                let due: BTreeSet<u64> = (model.waiting.iter())
                    .filter(|(_, call)| call.deadline <= now)
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
                    .filter(|(_, (w, _))| *w == worker)
                    .map(|(id, (_, call))| (*id, *call))
                    .collect();
                model.running.retain(|_, (w, _)| *w != worker);
                for (id, call) in back {
                    let app = AppId(call.app);
                    real.put_back(app, call.wait(id), id);
                    model.waiting.insert(id, call);
                    while let Some((chosen, taken)) = real.next_for_app(app) {
                        assert_eq!(Some(chosen), model.best(call.app));
                        let call = model.leaves(call.app, taken.item);
                        model.start(chosen, taken.item, call);
                    }
                }
            }
        }
        let idle_and_wanted = model
            .waiting
            .iter()
            .any(|(_, call)| call.deadline > now && model.best(call.app).is_some());
        assert!(!idle_and_wanted, "a call waits though a worker is free");
        assert_eq!(real.waiting(), model.waiting.len());
        assert_eq!(
            real.next_deadline().instant(),
            model.waiting.values().map(|call| call.deadline).min()
        );
        for app in 0..3 {
            let queue = real.queue(AppId(app)).expect("it was added");
            assert_eq!((queue.len(), queue.bytes()), model.queued(app));
        }
    }
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..200)) {
        run(ops);
    }
}

/// A call of a user.
fn wait(uid: u32, id: u64, bytes: u64) -> Wait {
    Waiting { app: 0, uid, deadline: Instant::now(), bytes }.wait(id)
}

#[test]
fn an_even_load_spreads_evenly_to_the_call() {
    let mut scheduler = Scheduler::default();
    scheduler.set_app(AppId(0), QueueLimits { calls: 0, bytes: None });
    for worker in 0..4 {
        scheduler.add_worker(worker, 1);
        scheduler.grant(worker, AppId(0));
    }
    let mut given = [0; 4];
    for id in 0..400 {
        match scheduler.submit(AppId(0), wait(1, id, 1), ()) {
            Verdict::Assigned(worker, ()) => {
                given[worker as usize] += 1;
                scheduler.release(worker);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(given, [100; 4]);
}

#[test]
fn a_call_above_the_bytes_waits_alone_and_nothing_bounds_bytes_without_a_limit() {
    let submit = |scheduler: &mut Scheduler<()>, id, bytes| {
        scheduler.submit(AppId(0), wait(1, id, bytes), ())
    };
    let mut scheduler = Scheduler::default();
    scheduler.set_app(AppId(0), LIMITS);
    assert_eq!(submit(&mut scheduler, 1, 8), Verdict::Queued(vec![]), "it may wait alone");
    assert_eq!(submit(&mut scheduler, 2, 0), Verdict::Full(Full::Bytes, ()));
    scheduler.take(AppId(0), CallId(1));
    assert_eq!(submit(&mut scheduler, 3, 7), Verdict::Queued(vec![]), "the queue has room for it");
    assert_eq!(submit(&mut scheduler, 4, 0), Verdict::Queued(vec![]));
    scheduler.set_app(AppId(0), QueueLimits { calls: 3, bytes: None });
    assert_eq!(submit(&mut scheduler, 5, u64::MAX >> 1), Verdict::Queued(vec![]));
    assert_eq!(submit(&mut scheduler, 6, 0), Verdict::Full(Full::Calls, ()));
}

#[test]
fn a_user_with_a_full_queue_makes_room_for_another() {
    let limits = QueueLimits { calls: 900, bytes: None };
    let mut scheduler = Scheduler::default();
    scheduler.set_app(AppId(0), limits);
    for id in 0..900 {
        assert_eq!(scheduler.submit(AppId(0), wait(1, id, 1), id), Verdict::Queued(vec![]));
    }
    assert_eq!(scheduler.submit(AppId(0), wait(1, 900, 1), 900), Verdict::Full(Full::Calls, 900));
    for (victim, id) in (450..900).rev().zip(1000..1450) {
        let Verdict::Queued(left) = scheduler.submit(AppId(0), wait(2, id, 1), id) else {
            panic!("call {id} has no room");
        };
        assert_eq!(left.iter().map(|taken| taken.item).collect::<Vec<_>>(), [victim]);
    }
    let more = scheduler.submit(AppId(0), wait(2, 1450, 1), 1450);
    assert_eq!(more, Verdict::Full(Full::Calls, 1450), "more than its share");
    // Whatever they have, they are served in turns.
    scheduler.add_worker(1, 100);
    scheduler.grant(1, AppId(0));
    let served: Vec<u64> = std::iter::from_fn(|| scheduler.next_for(1)).map(|t| t.item).collect();
    assert_eq!(served.iter().filter(|id| **id >= 1000).count(), 50, "{served:?}");
}

#[test]
fn a_principal_runs_and_queues_no_more_than_its_quota() {
    let quota = Quota { max_running: Some(1), max_queue: Some(1), ..Quota::default() };
    let of = |id| Wait { quota, ..wait(1, id, 1) };
    let mut scheduler = Scheduler::default();
    for app in 0..2 {
        scheduler.set_app(AppId(app), QueueLimits { calls: 9, bytes: None });
    }
    scheduler.add_worker(1, 4);
    scheduler.grant(1, AppId(0));
    assert_eq!(scheduler.submit(AppId(0), of(1), 1), Verdict::Assigned(1, 1));
    let counted = scheduler.begin(Principal::Uid(1), quota).expect("it is counted");
    assert_eq!(scheduler.submit(AppId(0), of(2), 2), Verdict::Queued(vec![]), "a slot is free");
    assert_eq!(scheduler.submit(AppId(1), of(3), 3), Verdict::Full(Full::OfPrincipal(1), 3));
    assert!(scheduler.next_for(1).is_none(), "its turn has not come");
    assert_eq!(scheduler.submit(AppId(0), wait(2, 4, 1), 4), Verdict::Assigned(1, 4));
    scheduler.end(counted);
    assert_eq!(scheduler.apps_of(counted), [AppId(0)]);
    assert_eq!(scheduler.next_for(1).map(|taken| taken.item), Some(2));
}
