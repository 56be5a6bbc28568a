//! The end of the arbiter: what is queued and running is finished, within the
//! time that there is; then the workers close and exit.

use std::time::{Duration, Instant};

use super::{
    super::{
        Machine,
        ids::AppId,
        turn::{Note, Turn},
    },
    Phase,
};
use crate::{call::CallError, clock::Deadline, pool::journal::EventKind};

/// How long the workers may take to close after the last call, if the deadline
/// is nearer: they have state to save.
const CLOSE: Duration = Duration::from_secs(1);

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
    /// The deadline has passed; what was left is killed.
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
        turn.note(Note::event(EventKind::Draining, message));
        turn.arm(deadline);
        // What died before is not replaced any more.
        let apps: Vec<AppId> = self.fleet.apps().map(|(id, _)| id).collect();
        self.settle_all(apps.into_iter(), turn);
        self.end_drain_if_idle(turn);
    }

    pub(in super::super) fn on_edge_closed(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Draining(drain) = &mut self.phase
            && drain.step == Step::Open
        {
            drain.step = Step::EdgeClosed;
        }
        self.end_drain_if_idle(turn);
    }

    /// Sends the workers home once the last call has ended and none can come.
    pub(in super::super) fn end_drain_if_idle(&mut self, turn: &mut Turn<'_>) {
        let Phase::Draining(drain) = &mut self.phase else { return };
        if drain.step != Step::EdgeClosed || self.dispatch.calls() > 0 {
            return;
        }
        drain.step = Step::Goodbye;
        drain.deadline = drain.deadline.max(turn.now + CLOSE);
        turn.arm(drain.deadline);
        for id in self.fleet.workers_that(|_| true) {
            self.send_away(id, "the arbiter ends", turn);
        }
    }

    /// Kills what is left at the deadline.
    pub(in super::super) fn enforce_drain(&mut self, turn: &mut Turn<'_>) {
        let Phase::Draining(drain) = &mut self.phase else { return };
        if drain.step == Step::Forced {
            return;
        }
        if drain.deadline > turn.now {
            return turn.arm(drain.deadline);
        }
        drain.step = Step::Forced;
        let apps: Vec<AppId> = self.fleet.apps().map(|(id, _)| id).collect();
        for app in apps {
            self.dispatch.refuse_waiting(app, &CallError::Draining, turn);
        }
        for id in self.fleet.workers_that(|_| true) {
            self.end_now(id, "graceful_timeout passed", turn);
        }
    }
}
