//! What is counted of the life of workers, by pool.

use std::{collections::BTreeMap, time::Duration};

use crate::{call::EndedBy, histogram::Histogram};

/// Why a worker process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It was asked to, and did.
    Requested,
    /// It exited by itself.
    Exit,
    /// A signal ended it that was not the arbiter's.
    Signal,
    /// The arbiter killed it: its work did not end, or it gave no sign of life.
    Killed,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Requested, Self::Exit, Self::Signal, Self::Killed];

    /// Its name in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Exit => "exit",
            Self::Signal => "signal",
            Self::Killed => "killed",
        }
    }

    /// The cause of the end of a worker that was to leave, or was not.
    pub fn of(ended: &EndedBy, was_to_leave: bool) -> Self {
        match ended {
            EndedBy::Exit(0) if was_to_leave => Self::Requested,
            EndedBy::Exit(_) => Self::Exit,
            EndedBy::Signal(_) => Self::Signal,
            EndedBy::Killed(_) => Self::Killed,
        }
    }
}

/// The workers of a pool since the start of the arbiter, those of an earlier pool of the
/// same name included.
#[derive(Debug, Clone, Default)]
pub struct Measures {
    /// Processes that were started.
    pub starts: u64,
    /// Those that ended, by cause.
    pub deaths: BTreeMap<Cause, u64>,
    /// How long they took from their start to ready.
    pub boots: Histogram,
}

/// By the name of the pool.
#[derive(Debug, Default)]
pub struct AllMeasures(BTreeMap<String, Measures>);

/// The names of pools that are kept, those of earlier configurations included.
const MOST_POOLS: usize = 256;

impl AllMeasures {
    fn of(&mut self, pool: &str) -> Option<&mut Measures> {
        if !self.0.contains_key(pool) {
            if self.0.len() >= MOST_POOLS {
                return None;
            }
            self.0.insert(pool.to_owned(), Measures::default());
        }
        self.0.get_mut(pool)
    }

    /// A process was started.
    pub fn started(&mut self, pool: &str) {
        if let Some(of) = self.of(pool) {
            of.starts += 1;
        }
    }

    /// A worker is ready, so long after its start.
    pub fn booted(&mut self, pool: &str, after: Duration) {
        if let Some(of) = self.of(pool) {
            of.boots.observe(after);
        }
    }

    /// A process has ended.
    pub fn died(&mut self, pool: &str, cause: Cause) {
        if let Some(of) = self.of(pool) {
            *of.deaths.entry(cause).or_default() += 1;
        }
    }

    /// Those of all pools that there ever were.
    pub fn all(&self) -> BTreeMap<String, Measures> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_has_one_cause() {
        let killed = EndedBy::Killed("it hung".to_owned());
        for (ended, leaves, cause) in [
            (EndedBy::Exit(0), true, Cause::Requested),
            (EndedBy::Exit(0), false, Cause::Exit),
            (EndedBy::Exit(1), true, Cause::Exit),
            (EndedBy::Signal(9), true, Cause::Signal),
            (killed, true, Cause::Killed),
        ] {
            assert_eq!(Cause::of(&ended, leaves), cause, "{ended} {leaves}");
        }
    }

    #[test]
    fn pools_that_come_and_go_do_not_add_up_for_ever() {
        let mut all = AllMeasures::default();
        for number in 0..1000 {
            all.started(&format!("pool{number}"));
            all.died("pool0", Cause::Exit);
        }
        assert_eq!(all.all().len(), MOST_POOLS);
        assert_eq!(all.all()["pool0"].deaths[&Cause::Exit], 1000);
    }
}
