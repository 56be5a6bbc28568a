//! A campaign: random processes of the tree are killed and stopped under load.
//! Every call has one outcome, the service comes back, and nothing leaks.

use std::{
    fs,
    time::{Duration, Instant},
};

use dirtyd::client::args;
use nix::sys::signal::Signal;
use tokio::task::LocalSet;

use crate::{
    family::{Family, LIFE, signal_if_there},
    load::Load,
    support::{LIMIT, eventually},
};

/// So many blows, but no longer than this.
const BLOWS: usize = 200;
const LONGEST: Duration = Duration::from_secs(30);
const SEED: u64 = 20_261_123;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_campaign_of_kills_and_stops_leaks_nothing() {
    LocalSet::new().run_until(campaign()).await;
}

async fn campaign() {
    let mut random = fastrand::Rng::with_seed(SEED);
    let family = Family::with(
        "workers = 3\ntimeout = \"1s\"\nheartbeat = \"300ms\"\nmax_restarts = 100000\n[[app]]\npath = \"life:Life\"\n",
    )
    .await;
    let main = family.pid();
    let load = Load::start(&family, 2);
    load.serve(20).await;
    let before = Footprint::of(&family);
    let started = Instant::now();
    let mut blows = 0;
    while blows < BLOWS && started.elapsed() < LONGEST {
        // Often enough that replacements are hit while they boot.
        let arbiter = family.named("dirtyd-dirty.pid").await;
        let victims: Vec<i32> =
            family.processes().into_iter().filter(|pid| *pid != main && *pid != arbiter).collect();
        let victim = match random.u8(0..10) {
            0 => arbiter,
            _ if victims.is_empty() => continue,
            _ => victims[random.usize(0..victims.len())],
        };
        strike(victim, victim == arbiter, &mut random).await;
        blows += 1;
        if random.u8(0..4) == 0 {
            serves(&family).await;
        }
    }
    serves(&family).await;
    load.serve(20).await;
    let tally = load.stop().await;
    eprintln!(
        "seed {SEED}: {blows} blows in {:.1?}, {} calls served, {} lost",
        started.elapsed(),
        tally.served.get(),
        tally.failed.borrow().len()
    );
    for lost in tally.failed.borrow().iter() {
        let known = [
            "WorkerCrashed",
            "no connection to dirtyd",
            "NoWorkers",
            "ExecutionTimeout",
            "QueueTimeout",
        ];
        assert!(known.iter().any(|known| lost.contains(known)), "{lost}");
    }
    settled(&family, &before).await;
}

async fn strike(victim: i32, is_arbiter: bool, random: &mut fastrand::Rng) {
    if random.u8(0..3) > 0 {
        return signal_if_there(victim, Signal::SIGKILL);
    }
    signal_if_there(victim, Signal::SIGSTOP);
    // A stopped worker is the arbiter's to notice; a stopped arbiter stands for
    // one that got no processor for a while.
    if is_arbiter || random.bool() {
        tokio::time::sleep(Duration::from_millis(random.u64(1..100))).await;
        signal_if_there(victim, Signal::SIGCONT);
    }
}

async fn serves(family: &Family) {
    eventually(LIMIT, "the service is back", async || {
        let client = family.connect().with_timeout(Duration::from_secs(2));
        client.execute(LIFE, "pid", args![]).await.ok()
    })
    .await;
}

/// What a daemon uses that could leak.
#[derive(Debug)]
struct Footprint {
    processes: usize,
    files: Vec<String>,
    descriptors: usize,
    memory: u64,
}

impl Footprint {
    fn of(family: &Family) -> Self {
        let main = family.pid();
        let statm = fs::read_to_string(format!("/proc/{main}/statm")).expect("it lives");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        Self {
            processes: family.processes().len(),
            files: family.files(),
            descriptors: fs::read_dir(format!("/proc/{main}/fd")).expect("it lives").count(),
            memory: pages.expect("a number") * 4096,
        }
    }
}

/// Waits until nothing is left of the campaign.
async fn settled(family: &Family, before: &Footprint) {
    eventually(LIMIT, "as many processes, files and descriptors as before", async || {
        let now = Footprint::of(family);
        let same = (now.processes, now.descriptors) == (before.processes, before.descriptors);
        (same && now.files == before.files).then_some(())
    })
    .await;
    let now = Footprint::of(family);
    assert!(now.memory < before.memory + 8 * 1024 * 1024, "{before:?} {now:?}");
    // Zombies have no environment, so they are no processes of the family.
    let zombies = fs::read_dir("/proc").expect("/proc").flatten().filter(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let mut fields = rest.split(' ');
        fields.next() == Some("Z") && fields.next() == Some(&family.pid().to_string())
    });
    assert_eq!(zombies.count(), 0, "everything is reaped");
}
