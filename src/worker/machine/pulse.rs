//! The heartbeat of an idle worker. A busy one is governed by the timeouts of
//! its calls, because native code may hold its interpreter's lock for long.

use std::time::{Duration, Instant};

use crate::clock::Deadline;

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
    Idle(Deadline),
    /// A Ping is out; an answer is due at the instant.
    Pinged(Deadline),
    /// No answer came; the end is due at the instant.
    Dumped(Deadline),
    /// The arbiter has given up.
    Dead,
}

/// The state of a worker's heartbeat.
#[derive(Debug)]
pub struct Pulse {
    state: State,
    interval: Duration,
    grace: Duration,
    /// The number of Pings without a Pong.
    unanswered: u32,
}

impl Pulse {
    /// A worker that has just shown life.
    pub fn new(interval: Duration, grace: Duration, now: Instant) -> Self {
        let state = State::Idle(Deadline::after(now, interval));
        Self { state, interval, grace, unanswered: 0 }
    }

    /// A frame came.
    pub fn heard(&mut self, now: Instant) {
        self.state = State::Idle(Deadline::after(now, self.interval));
    }

    /// A Pong came; false if no Ping waits for one.
    #[must_use]
    pub fn answered(&mut self) -> bool {
        let asked = self.unanswered > 0;
        self.unanswered = self.unanswered.saturating_sub(1);
        asked
    }

    /// When [`step`](Self::step) has something to do.
    pub fn due(&self) -> Deadline {
        match self.state {
            State::Idle(at) | State::Pinged(at) | State::Dumped(at) => at,
            State::Dead => Deadline::Never,
        }
    }

    /// Returns what is due now; `busy` while calls run.
    pub fn step(&mut self, busy: bool, now: Instant) -> Option<Beat> {
        if !self.due().is_over(now) {
            return None;
        }
        if busy {
            self.heard(now); // to be asked when it is idle
            return None;
        }
        let (state, beat) = match self.state {
            State::Idle(_) => {
                self.unanswered = self.unanswered.saturating_add(1);
                (State::Pinged(Deadline::after(now, self.interval)), Beat::Ping)
            }
            State::Pinged(_) => (State::Dumped(Deadline::after(now, self.grace)), Beat::DumpStacks),
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
        assert_eq!(pulse.due(), Deadline::Never);

        pulse.heard(start);
        assert_eq!(pulse.step(false, start + interval), Some(Beat::Ping));
        pulse.heard(start + interval);
        assert_eq!(pulse.step(false, start + interval + grace), None, "it answered");
    }

    #[test]
    fn a_pong_answers_one_ping() {
        let (interval, start) = (Duration::from_secs(10), Instant::now());
        let mut pulse = Pulse::new(interval, interval, start);
        assert!(!pulse.answered(), "nobody asked");
        assert_eq!(pulse.step(false, start + interval), Some(Beat::Ping));
        pulse.heard(start + interval); // by another frame, which overtook the Pong
        assert!(pulse.answered() && !pulse.answered());
    }
}
