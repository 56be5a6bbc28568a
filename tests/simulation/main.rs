//! Plays stories against the pure machines, as many as there is time for, and
//! tells the first one that breaks a promise.
//!
//! ```text
//! SEEDS=10000000   this number of seeds            (default: until the time is over)
//! DURATION=60      for this long, in seconds
//! FIRST=0          from this seed on
//! STORY=4711       tells this seed alone
//! WORLD=pool       in this world alone
//! ```

use std::{
    env,
    process::ExitCode,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use dirtyd::internals::simulation;

/// What plays a seed; the failure is told in words.
type Play = fn(u64) -> Result<u64, String>;

/// The machines that are simulated, by name.
const WORLDS: [(&str, Play); 3] = [
    ("pool", |seed| {
        simulation::pool(seed).map(|stats| stats.events).map_err(|failure| failure.to_string())
    }),
    ("worker", |seed| simulation::worker(seed).map_err(|failure| failure.to_string())),
    ("main arbiter", |seed| {
        simulation::main_arbiter(seed).map(|stats| stats.events).map_err(|told| told.to_string())
    }),
];

/// The worlds that are asked for.
fn worlds() -> Vec<(&'static str, Play)> {
    let wanted = env::var("WORLD").unwrap_or_default();
    let worlds = WORLDS.into_iter().filter(|(name, _)| wanted.is_empty() || wanted == *name);
    let worlds: Vec<_> = worlds.collect();
    assert!(!worlds.is_empty(), "WORLD: there is no world `{wanted}`");
    worlds
}

/// Seeds that a thread takes at once.
const BATCH: u64 = 64;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name}: `{text}` is not a number"),
    }
}

fn main() -> ExitCode {
    if let Some(seed) = number("STORY") {
        return tell(seed);
    }
    let first = number("FIRST").unwrap_or(0);
    let seeds = number("SEEDS").unwrap_or(u64::MAX - first);
    let seconds = number("DURATION").map_or(Duration::MAX, Duration::from_secs);
    if seeds == u64::MAX - first && seconds == Duration::MAX {
        eprintln!("say how many: SEEDS=1000000 or DURATION=60");
        return ExitCode::FAILURE;
    }
    let mut failed = 0;
    let mut passed = 0;
    let worlds = worlds();
    let share = match seconds {
        Duration::MAX => seconds,
        seconds => seconds / worlds.len() as u32,
    };
    for (name, play) in worlds {
        let started = Instant::now();
        let ran = run(play, first..first.saturating_add(seeds), started.checked_add(share));
        let took = started.elapsed().as_secs_f64();
        println!("{name}: {} stories, {} events in {took:.1} s", ran.stories, ran.events);
        passed += ran.stories;
        if let Some(story) = ran.failure {
            failed += 1;
            println!("\n{name}: {story}");
        }
    }
    println!("stories: {passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays one seed in every world.
fn tell(seed: u64) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (name, play) in worlds() {
        match play(seed) {
            Ok(events) => println!("{name}: seed {seed} keeps every promise, in {events} events"),
            Err(story) => {
                println!("{name}: {story}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// What came of many seeds.
struct Ran {
    stories: u64,
    events: u64,
    failure: Option<String>,
}

fn run(play: Play, seeds: std::ops::Range<u64>, until: Option<Instant>) -> Ran {
    let (next, stories, events) =
        (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let is_over = || stop.load(Ordering::Relaxed) || until.is_some_and(|at| at <= Instant::now());
    let work = || {
        while !is_over() {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= seeds.end {
                break;
            }
            for seed in from..(from + BATCH).min(seeds.end) {
                match play(seed) {
                    Ok(count) => events.fetch_add(count, Ordering::Relaxed),
                    Err(story) => {
                        stop.store(true, Ordering::Relaxed);
                        return Some(story);
                    }
                };
                stories.fetch_add(1, Ordering::Relaxed);
            }
        }
        None
    };
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let failure = thread::scope(|scope| {
        let hands: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        hands.into_iter().filter_map(|hand| hand.join().expect("no panic")).next()
    });
    Ran { stories: stories.into_inner(), events: events.into_inner(), failure }
}
