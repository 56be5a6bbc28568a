//! Single situations that are easier to read than a story of the simulation.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Action, Event, Machine};
use crate::{
    call::{
        AppFailure, CallError, CallId, CallRequest, EndedBy, FromCaller, PayloadKind, Peer, Quota,
        Reply, reply_channel,
    },
    clock::Deadline,
    config::{Config, Raw},
    worker::{Control, Death, Report},
};

fn config(workers: u32) -> Config {
    let apps = vec!["app:App:1".parse().expect("a path")];
    let workers = [("workers".to_owned(), workers.to_string())];
    let flags = Raw::from_flags(workers.into_iter()).expect("a number");
    Config::from_raw(flags.overlaid_with(Raw::of_apps(apps))).expect("valid")
}

fn submit(id: u64, now: Instant) -> Event {
    let request = Box::new(CallRequest {
        app: "app:App".to_owned(),
        action: "act".to_owned(),
        payload: Bytes::new(),
        payload_kind: PayloadKind::ExecuteRequest,
        arrived: now,
        peer: Peer::Unknown,
        quota: Quota::default(),
        caller_deadline: Deadline::Never,
        request_id: String::new(),
        metadata: Vec::new(),
        story: None,
    });
    let (reply, _) = reply_channel();
    Event::Submit(CallId(id), request, reply)
}

/// A machine at one moment.
struct Pool {
    machine: Machine,
    now: Instant,
}

impl Pool {
    /// A pool whose first workers are asked for.
    fn new(workers: u32) -> Self {
        let now = Instant::now();
        let machine = Machine::new(&config(workers), 1, now);
        let mut pool = Self { machine, now };
        pool.on(Event::Alarm);
        pool
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.machine.on(event, self.now, &mut actions);
        actions
    }

    /// Boots worker 1, which serves the app then.
    fn boot(&mut self) {
        self.on(Event::Spawned(1, 100));
        self.on(Event::Worker(1, Report::Loaded("app:App".to_owned(), Ok(()))));
        self.on(Event::Worker(1, Report::Booted));
    }
}

/// What calls were ended with.
fn refusals(actions: &[Action]) -> Vec<&CallError> {
    let refusal = |action| match action {
        &Action::Refuse(Reply::Unary(_), ref error) => Some(error),
        _ => None,
    };
    actions.iter().filter_map(refusal).collect()
}

fn starts(actions: &[Action]) -> usize {
    let is_start = |action: &&Action| matches!(action, Action::Tell(_, Control::Start(_)));
    actions.iter().filter(is_start).count()
}

#[test]
fn a_caller_that_leaves_before_its_call_is_seen_is_not_served() {
    let mut pool = Pool::new(1);
    pool.boot();
    assert_eq!(starts(&pool.on(submit(1, pool.now))), 1, "it goes to the idle worker");
    pool.on(Event::Caller(CallId(2), FromCaller::Left));
    let actions = pool.on(submit(2, pool.now));
    assert_eq!(refusals(&actions), [&CallError::Cancelled]);
    assert_eq!(pool.machine.snapshot(pool.now).calls, 1, "only the one that somebody waits for");
    // One that comes after the end of its call is not remembered.
    pool.on(Event::Caller(CallId(1), FromCaller::Left));
    assert_eq!(starts(&pool.on(submit(3, pool.now))), 0, "the slot is still taken");
}

#[test]
fn a_call_that_comes_as_the_last_worker_ends_is_safe_to_retry() {
    let mut pool = Pool::new(0);
    pool.on(Event::Drain(pool.now));
    pool.on(Event::Alarm);
    let actions = pool.on(submit(1, pool.now));
    assert_eq!(refusals(&actions), [&CallError::Draining]);
    assert!(pool.machine.is_drained());
}

#[test]
fn a_seat_that_is_due_stays_empty_once_the_workers_are_told_to_exit() {
    let mut pool = Pool::new(1);
    pool.on(Event::NotSpawned(1, "no such program".to_owned()));
    pool.on(Event::Drain(pool.now + Duration::from_secs(60)));
    pool.on(Event::EdgeClosed);
    pool.now += Duration::from_secs(30);
    let actions = pool.on(Event::Alarm);
    assert!(!actions.iter().any(|action| matches!(action, Action::Spawn(..))), "{actions:?}");
    assert!(pool.machine.is_drained(), "nobody is left, and nobody comes");
}

/// Two pools of one worker each, with an app each, that serve.
fn two_pools() -> (Pool, Config) {
    let toml = r#"
        workers = 1
        [[app]]
        path = "a:A"
        workers = 1
        [[pool]]
        name = "gpu"
        [[pool.app]]
        path = "b:B"
        workers = 1
    "#;
    let raw = Raw::from_text("two.toml".as_ref(), toml.to_owned()).expect("valid");
    let config = Config::from_raw(raw).expect("valid");
    let now = Instant::now();
    let mut pool = Pool { machine: Machine::new(&config, 1, now), now };
    pool.on(Event::Alarm);
    pool.boots(1, "a:A");
    pool.boots(2, "b:B");
    (pool, config)
}

impl Pool {
    fn boots(&mut self, id: u64, app: &str) -> Vec<Action> {
        let mut actions = self.on(Event::Spawned(id, 100 + id as i32));
        actions.extend(self.on(Event::Worker(id, Report::Loaded(app.to_owned(), Ok(())))));
        actions.extend(self.on(Event::Worker(id, Report::Booted)));
        actions
    }

    fn reload(&mut self, config: &Config) -> Vec<Action> {
        let config = Box::new(config.clone());
        self.on(Event::Reload { config, pool: String::new() })
    }

    fn dies(&mut self, id: u64) -> Vec<Action> {
        let ended = EndedBy::Exit(0);
        let (loading, last_words) = (None, String::new());
        let (unstarted, lost) = (Vec::new(), Vec::new());
        let death = Death { ended, loading, last_words, unstarted, lost };
        self.on(Event::Worker(id, Report::Died(Box::new(death))))
    }
}

/// The workers that are told to leave.
fn drained(actions: &[Action]) -> Vec<u64> {
    let drains = |action: &Action| match action {
        Action::Tell(id, Control::Drain) => Some(*id),
        _ => None,
    };
    actions.iter().filter_map(drains).collect()
}

fn spawned(actions: &[Action]) -> Vec<u64> {
    let spawns = |action: &Action| match action {
        Action::Spawn(id, ..) => Some(*id),
        _ => None,
    };
    actions.iter().filter_map(spawns).collect()
}

#[test]
fn a_release_that_does_not_load_in_one_pool_replaces_nothing_in_another() {
    let (mut pool, config) = two_pools();
    let actions = pool.reload(&config);
    assert_eq!(spawned(&actions), [3, 4], "the first of each pool");
    assert!(drained(&pool.boots(3, "a:A")).is_empty(), "pool gpu may not load");
    let failure = Box::<AppFailure>::default();
    pool.on(Event::Spawned(4, 104));
    pool.on(Event::Worker(4, Report::Loaded("b:B".to_owned(), Err(failure))));
    let actions = pool.on(Event::Worker(4, Report::Booted));
    assert_eq!(drained(&actions), [4, 3], "the new ones leave");
    let failed = |action: &Action| matches!(action, Action::Reloaded(Err(_)));
    assert!(actions.iter().any(failed), "{actions:?}");
}

#[test]
fn a_reload_waits_for_the_workers_that_the_last_one_has_replaced() {
    let (mut pool, config) = two_pools();
    pool.reload(&config);
    pool.boots(3, "a:A");
    assert_eq!(drained(&pool.boots(4, "b:B")), [1, 2], "all are ready");
    // Worker 1 has a stream that goes on.
    pool.dies(2);
    let actions = pool.reload(&config);
    assert_eq!(spawned(&actions), [5], "the seat of worker 1 is not clear");
    assert!(drained(&pool.boots(5, "b:B")).is_empty());
    let actions = pool.dies(1);
    assert_eq!(spawned(&actions), [6]);
    assert_eq!(drained(&pool.boots(6, "a:A")), [4, 3], "all are ready");
}
