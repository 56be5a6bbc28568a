//! Stories of main arbiters, in virtual time. Real [`Machine`]s meet a simulated
//! kernel: dirty arbiters that boot, report, hang, freeze and exit; successors
//! that do or do not come up; signals in any order; SIGKILL and SIGSTOP of
//! anybody. After every step the promises are checked.
//!
//! ```text
//!   Plan (drawn from the seed: times, and the moves of operator and fate)
//!     |
//!   World: clock and queue --> MainProcess: Machine, Ledger --> actions
//!                          --> DirtyProcess                 <--
//! ```
//!
//! A story is its seed: the same seed tells the same story. One that fails is
//! told again with fewer moves, as long as it fails in the same way, and then
//! once more with a trace.
//!
//! [`Machine`]: super::machine::Machine

mod dirty_process;
mod draw;
mod ledger;
mod main_process;
mod plan;
mod reactor;
mod systemd;
mod world;

use std::fmt;

use world::World;

/// What happened in a story; sums of several are what happened in all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Steps of the simulated kernel.
    pub steps: u64,
    /// Events that machines took.
    pub events: u64,
    /// Dirty arbiters that were started.
    pub starts: u64,
    /// Upgrades that were begun.
    pub upgrades: u64,
    /// Upgrades whose successor served.
    pub upgraded: u64,
    /// Processes that a main arbiter killed.
    pub kills: u64,
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.events += other.events;
        self.starts += other.starts;
        self.upgrades += other.upgrades;
        self.upgraded += other.upgraded;
        self.kills += other.kills;
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The story.
    pub seed: u64,
    /// The promise, in one line.
    pub property: &'static str,
    /// What happened, one line a step, oldest first.
    pub trace: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "main arbiter, seed {}: broken: {}", self.seed, self.property)?;
        f.write_str(&self.trace)
    }
}

impl std::error::Error for Failure {}

/// Tells the story of a seed.
///
/// # Errors
/// A promise was broken; the failure has the shortest story that was found.
pub fn story(seed: u64) -> Result<Stats, Failure> {
    let property = match World::new(seed, ALL, false).run() {
        Ok(stats) => return Ok(stats),
        Err((property, _)) => property,
    };
    let mut moves = ALL;
    for one in (0..plan::MOST_MOVES).map(|n| 1 << n) {
        let broken = World::new(seed, moves & !one, false).run();
        if broken.is_err_and(|(same, _)| same == property) {
            moves &= !one;
        }
    }
    let trace = match World::new(seed, moves, true).run() {
        Ok(_) => Vec::new(),
        Err((_, trace)) => trace,
    };
    Err(Failure { seed, property, trace: trace.join("\n") })
}

/// The set of all moves.
const ALL: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_holds_in_thousands_of_stories() {
        let mut stats = Stats::default();
        for seed in 0..2_000 {
            match story(seed) {
                Ok(more) => stats += more,
                Err(failure) => panic!("{failure}"),
            }
        }
        // They are about something.
        assert!(stats.starts > 2_000 && stats.kills > 60, "{stats:?}");
        assert!(stats.upgrades > 500 && stats.upgraded > 200, "{stats:?}");
        assert!(stats.upgrades > stats.upgraded + 100, "some fail: {stats:?}");
    }

    #[test]
    fn a_seed_tells_the_same_story_again() {
        for seed in 0..20 {
            assert_eq!(story(seed), story(seed));
        }
    }
}
