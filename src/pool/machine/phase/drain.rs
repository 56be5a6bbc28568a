//! The end of the arbiter: what is queued and running is finished, within the
//! time that there is; then the workers close and exit.

use std::time::Instant;

use super::{
    super::{
        Machine,
        fleet::Worker,
        ids::AppId,
        turn::{Note, Turn},
    },
    Phase,
};
use crate::{call::CallError, clock::Deadline, patience::WORKERS_CLOSE, pool::machine::EntryKind};

/// Why a worker with calls is killed.
const OVER: &str = "graceful_timeout passed";

/// A drain in progress.
#[derive(Debug)]
pub struct Drain {
    deadline: Instant,
    step: Step,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Calls are served, and connections are open.
    Open,
    /// Calls are served; no further can come.
    EdgeClosed,
    /// The workers are told to exit: no call can be served any more.
    Goodbye,
    /// That took too long, too: what was left is killed.
    Forced,
}

impl Drain {
    /// Whether it is too late for a new call.
    pub fn refuses_calls(&self) -> bool {
        matches!(self.step, Step::Goodbye | Step::Forced)
    }
}

impl Machine {
    pub(in super::super) fn begin_drain(&mut self, deadline: Instant, turn: &mut Turn<'_>) {
        if self.phase.drain().is_some() {
            return;
        }
        self.abandon_reload("the arbiter is draining", turn);
        self.phase = Phase::Draining(Drain { deadline, step: Step::Open });
        let left = Deadline::At(deadline).left(turn.now);
        let message = format!("draining: {} calls have {left:.1?} to end", self.dispatch.calls());
        turn.note(Note::event(EntryKind::Draining, message));
        turn.arm(deadline);
    }

    pub(in super::super) fn on_edge_closed(&mut self) {
        if let Phase::Draining(drain) = &mut self.phase
            && drain.step == Step::Open
        {
            drain.step = Step::EdgeClosed;
        }
    }

    /// Sends the workers home once the last call has ended and none can come.
    pub(in super::super) fn end_drain_if_idle(&mut self, turn: &mut Turn<'_>) {
        let Phase::Draining(drain) = &mut self.phase else { return };
        if drain.step != Step::EdgeClosed || self.dispatch.calls() > 0 {
            return;
        }
        drain.step = Step::Goodbye;
        drain.deadline = drain.deadline.max(turn.now + WORKERS_CLOSE);
        turn.arm(drain.deadline);
        for id in self.fleet.workers_that(|_| true) {
            self.send_away(id, "the arbiter ends", turn);
        }
    }

    /// At the deadline calls are killed with their workers; workers without calls
    /// have a moment to close, then what is left is killed.
    pub(in super::super) fn enforce_drain(&mut self, turn: &mut Turn<'_>) {
        let Phase::Draining(drain) = &mut self.phase else { return };
        if drain.step == Step::Forced {
            return;
        }
        if drain.deadline > turn.now {
            return turn.arm(drain.deadline);
        }
        if drain.step == Step::Goodbye {
            drain.step = Step::Forced;
            for id in self.fleet.workers_that(|_| true) {
                self.end_now(id, OVER, turn);
            }
            return;
        }
        drain.step = Step::Goodbye;
        drain.deadline = turn.now + WORKERS_CLOSE;
        turn.arm(drain.deadline);
        let apps: Vec<AppId> = self.fleet.apps().map(|(id, _)| id).collect();
        for app in apps {
            self.dispatch.refuse_waiting(app, &CallError::Draining, turn);
        }
        for id in self.fleet.workers_that(|_| true) {
            let loading = self.fleet.worker(id).and_then(Worker::loading).is_some();
            match self.dispatch.load(id) > u32::from(loading) {
                true => self.end_now(id, OVER, turn),
                false => self.send_away(id, "the arbiter ends", turn),
            }
        }
    }
}
