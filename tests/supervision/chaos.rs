//! A campaign: processes of the tree are killed and stopped under load. Every
//! call has one outcome, the service comes back each time, and nothing leaks.
//!
//! It goes in phases that strike at ever more of the tree. Who lives through a
//! phase is compared with itself; who was replaced, with what stood in its place
//! before, in a like state.

use std::{
    fmt, fs,
    rc::Rc,
    time::{Duration, Instant},
};

use dirtyd_client::args;
use fastrand::Rng;
use nix::sys::signal::Signal;
use tokio::task::LocalSet;

use crate::{
    family::{Family, LIFE, is_alive, signal_if_there},
    footprint::{Footprint, arbiters},
    load::{Load, Service, Tally},
    support::{LIMIT, eventually, example, signal},
};

const SEED: u64 = 20_261_123;
/// What the load must have served after each burst of blows.
const CALLS_AFTER_BURST: u64 = 4;
/// The blows of a burst, at most: without a pause between them, so that a
/// replacement is hit while it boots.
const BURST: usize = 4;
/// What a call may be told that was not served.
const LOSSES: [&str; 6] = [
    "WORKER_CRASHED",
    "connection to dirtyd",
    "NO_WORKERS",
    "EXECUTION_TIMEOUT",
    "QUEUE_TIMEOUT",
    "DRAINING",
];

/// Whom a blow strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// A worker in Rust, which boots within milliseconds: killed, stopped for
    /// ever, or stopped for a while.
    Worker,
    /// The worker in Python: the same.
    PythonWorker,
    /// Killed, or stopped for a while.
    DirtyArbiter,
    /// Killed, and started again.
    MainArbiter,
    /// Both at once, while a worker has a process that left its group.
    BothArbiters,
}

use Target::{BothArbiters, DirtyArbiter, MainArbiter, PythonWorker, Worker};

/// The first one makes the tree grow to what it needs in such times.
const PHASES: [&[(Target, usize)]; 4] = [
    &[(Worker, 40), (PythonWorker, 2)],
    &[(Worker, 200), (PythonWorker, 6)],
    &[(Worker, 40), (PythonWorker, 2), (DirtyArbiter, 6)],
    &[(Worker, 20), (PythonWorker, 2), (DirtyArbiter, 3), (MainArbiter, 3), (BothArbiters, 3)],
];
const BLOWS: usize = 327;
/// The calls that must be served meanwhile, at least.
const SERVED: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_campaign_of_kills_and_stops_leaks_nothing() {
    LocalSet::new().run_until(campaign()).await;
}

async fn campaign() {
    let mut random = Rng::with_seed(SEED);
    let command = example("rust-worker");
    let mut family = Family::with(&format!(
        "graceful_timeout = \"3s\"\nboot_timeout = \"4s\"\ntimeout = \"1s\"\nheartbeat = \"300ms\"\nmax_restarts = 100000\n\
         [[app]]\npath = \"life:Life\"\n\
         [[pool]]\nname = \"rust\"\ncommand = [{command:?}]\nworkers = 3\napp = [{{ path = \"Mandelbrot\" }}]\n"
    ))
    .await;
    let (mut blows, mut served) = (0, 0);
    let mut before: Option<Footprint> = None;
    for targets in PHASES {
        let (main, dirty) = arbiters(&family).await;
        let started = Instant::now();
        let phase = phase(&mut family, targets, &mut random).await;
        let struck = |target| targets.iter().any(|(struck, _)| *struck == target);
        let (main_now, dirty_now) = arbiters(&family).await;
        assert_eq!(main_now != main, struck(MainArbiter), "only who is struck is replaced");
        assert_eq!(dirty_now != dirty, struck(DirtyArbiter), "only who is struck is replaced");
        blows += phase.blows;
        served += phase.tallies.iter().map(|tally| tally.served.get()).sum::<u64>();
        eprintln!("seed {SEED}: {targets:?} in {:.1?}: {phase}", started.elapsed());
        phase.check();
        match &before {
            Some(before) => before.is_again(&family).await,
            None => before = Some(Footprint::at_rest(&family).await),
        }
    }
    assert_eq!(blows, BLOWS, "each blow hit");
    assert!(served >= SERVED, "{served} calls were served");
}

/// What a phase did.
struct Phase {
    blows: usize,
    bursts: u64,
    /// What became of the calls of each service.
    tallies: [Rc<Tally>; 2],
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [life, mandelbrot] = self.tallies.each_ref().map(|tally| {
            format!("{} served, {} lost", tally.served.get(), tally.failed.borrow().len())
        });
        write!(f, "{} bursts; Python: {life}; Rust: {mandelbrot}", self.bursts)
    }
}

impl Phase {
    fn check(&self) {
        for tally in &self.tallies {
            let failed = tally.failed.borrow();
            let outcomes = tally.served.get() + failed.len() as u64;
            assert_eq!(tally.begun.get(), outcomes, "one outcome each");
            let least = (self.bursts + 1) * CALLS_AFTER_BURST;
            assert!(tally.served.get() >= least, "at least {least} calls: {self}");
            for lost in failed.iter() {
                assert!(LOSSES.iter().any(|known| lost.contains(known)), "{lost}");
            }
        }
    }
}

/// Strikes under load, in bursts; after each, everyone is served again.
async fn phase(family: &mut Family, targets: &[(Target, usize)], random: &mut Rng) -> Phase {
    let mut blows: Vec<Target> =
        targets.iter().flat_map(|(target, times)| vec![*target; *times]).collect();
    random.shuffle(&mut blows);
    let loads = [Service::Life, Service::Mandelbrot].map(|service| Load::of(family, service, 1));
    let (mut struck, mut bursts) = (0, 0);
    all_are_served(family, &loads).await;
    while struck < blows.len() {
        let burst = random.usize(1..=BURST).min(blows.len() - struck);
        for target in &blows[struck..struck + burst] {
            strike(family, *target, random).await;
        }
        struck += burst;
        bursts += 1;
        all_are_served(family, &loads).await;
    }
    let [life, mandelbrot] = loads;
    Phase { blows: struck, bursts, tallies: [life.stop().await, mandelbrot.stop().await] }
}

/// New callers are, and those that had a connection, if perhaps another one.
async fn all_are_served(family: &Family, loads: &[Load]) {
    is_back(family).await;
    for load in loads {
        load.serve(CALLS_AFTER_BURST).await;
    }
}

async fn strike(family: &mut Family, target: Target, random: &mut Rng) {
    match target {
        Worker | PythonWorker => {
            let pick = random.usize(..);
            let alive = async || worker(family, target == PythonWorker, pick).await;
            let victim = eventually(LIMIT, "a worker lives", alive).await;
            hit(victim, true, random).await;
        }
        DirtyArbiter => hit(live_dirty(family).await, false, random).await,
        MainArbiter => {
            family.signal(Signal::SIGKILL);
            again(family).await;
        }
        BothArbiters => {
            is_back(family).await;
            let fork = args![].kwarg("leave_group", true);
            let forked = family.connect().execute(LIFE, "fork", fork).await;
            let dirty = live_dirty(family).await;
            signal(dirty, Signal::SIGSTOP);
            family.signal(Signal::SIGKILL);
            signal(dirty, Signal::SIGKILL);
            again(family).await;
            if let Some(pid) = forked.ok().and_then(|pid| pid.as_int()) {
                assert!(!is_alive(pid as i32), "a fresh start ends what is left");
            }
        }
    }
}

/// A fresh start, without any cleaning.
async fn again(family: &mut Family) {
    family.ended().await;
    family.restart().await;
}

async fn live_dirty(family: &Family) -> i32 {
    let alive = async || {
        let (_, dirty) = arbiters(family).await;
        is_alive(dirty).then_some(dirty)
    };
    eventually(LIMIT, "a dirty arbiter lives", alive).await
}

/// One of the workers that live, booting ones included.
async fn worker(family: &Family, python: bool, pick: usize) -> Option<i32> {
    let (main, dirty) = arbiters(family).await;
    let program = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let is_python = |pid: i32| !program(pid).ends_with("rust-worker");
    let mut workers = family.processes();
    workers
        .retain(|pid| ![main, dirty].contains(pid) && is_alive(*pid) && is_python(*pid) == python);
    (!workers.is_empty()).then(|| workers[pick % workers.len()])
}

async fn hit(victim: i32, may_stay_stopped: bool, random: &mut Rng) {
    if random.u8(0..3) > 0 {
        return signal_if_there(victim, Signal::SIGKILL);
    }
    signal_if_there(victim, Signal::SIGSTOP);
    // A stopped worker is the arbiter's to notice; a stopped arbiter stands for
    // one that got no processor for a while.
    if !may_stay_stopped || random.bool() {
        tokio::time::sleep(Duration::from_millis(random.u64(1..100))).await;
        signal_if_there(victim, Signal::SIGCONT);
    }
}

async fn is_back(family: &Family) {
    for service in [Service::Life, Service::Mandelbrot] {
        eventually(LIMIT, "the service is back", async || {
            let client = family.connect().with_timeout(Duration::from_secs(2));
            service.call(&client, 0).await.ok()
        })
        .await;
    }
}
