//! The heartbeat of an idle worker. A busy one is governed by the timeouts of
//! its calls, because native code may hold its interpreter's lock for long.
//! Pure.

use std::time::{Duration, Instant};

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Send a Ping.
    Ping,
    /// Log the worker's stacks: it does not answer.
    DumpStacks,
    /// Kill it.
    Kill,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Quiet; a Ping is due at the instant.
    Idle(Instant),
    /// A Ping is out; an answer is due at the instant.
    Pinged(Instant),
    /// No answer came; the end is due at the instant.
    Dumped(Instant),
    /// The arbiter has given up.
    Dead,
}

/// The state of a worker's heartbeat.
#[derive(Debug)]
pub struct Pulse {
    state: State,
    interval: Duration,
    grace: Duration,
}

impl Pulse {
    /// A worker that has just shown life.
    pub fn new(interval: Duration, grace: Duration, now: Instant) -> Self {
        Self { state: State::Idle(now + interval), interval, grace }
    }

    /// A frame came.
    pub fn heard(&mut self, now: Instant) {
        self.state = State::Idle(now + self.interval);
    }

    /// When [`step`](Self::step) has something.
    pub fn due(&self) -> Option<Instant> {
        match self.state {
            State::Idle(at) | State::Pinged(at) | State::Dumped(at) => Some(at),
            State::Dead => None,
        }
    }

    /// What is due now; `busy` while calls run.
    pub fn step(&mut self, busy: bool, now: Instant) -> Option<Beat> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        if busy {
            self.heard(now); // to be asked when it is idle
            return None;
        }
        let (state, beat) = match self.state {
            State::Idle(_) => (State::Pinged(now + self.interval), Beat::Ping),
            State::Pinged(_) => (State::Dumped(now + self.grace), Beat::DumpStacks),
            State::Dumped(_) | State::Dead => (State::Dead, Beat::Kill),
        };
        self.state = state;
        Some(beat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_worker_is_pinged_dumped_and_killed_and_a_busy_one_left_alone() {
        let (interval, grace) = (Duration::from_secs(10), Duration::from_secs(2));
        let start = Instant::now();
        let mut pulse = Pulse::new(interval, grace, start);
        assert_eq!(pulse.step(true, start + interval), None);
        assert_eq!(pulse.step(false, start + interval), None, "asked again later");
        let idle = start + interval * 2;
        assert_eq!(pulse.step(false, idle), Some(Beat::Ping));
        assert_eq!(pulse.step(false, idle + interval), Some(Beat::DumpStacks));
        assert_eq!(pulse.step(false, idle + interval + grace), Some(Beat::Kill));
        assert_eq!(pulse.due(), None);

        pulse.heard(start);
        assert_eq!(pulse.step(false, start + interval), Some(Beat::Ping));
        pulse.heard(start + interval);
        assert_eq!(pulse.step(false, start + interval + grace), None, "it answered");
    }
}
