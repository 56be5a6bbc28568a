//! The end of the arbiter: what is queued and running is finished, within the
//! time that there is; then the workers close and exit.
//!
//! There is `graceful_timeout` for it, unless another arbiter serves already (an
//! upgrade): then calls have their own timeouts, and streams `drain_timeout`.

use std::time::Instant;

use super::{
    super::{
        Machine,
        fleet::Worker,
        ids::{AppId, WorkerId},
        turn::{Note, Turn},
    },
    Phase,
};
use crate::{
    call::CallError, clock::Deadline, patience::WORKERS_CLOSE, pool::machine::EntryKind,
    printable::count, worker::Control,
};

/// Why a worker with calls is killed.
const OVER: &str = "graceful_timeout passed";

/// A drain in progress.
#[derive(Debug)]
pub struct Drain {
    /// When calls are killed; `Never` while another arbiter serves instead.
    deadline: Deadline,
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
    /// The arbiter ends, and what runs has until `deadline`.
    pub(in super::super) fn begin_drain(&mut self, deadline: Instant, turn: &mut Turn<'_>) {
        if let Phase::Draining(drain) = &mut self.phase {
            // It gave way, and is now to end.
            let close = Deadline::after(turn.now, WORKERS_CLOSE);
            let deadline = Deadline::At(deadline);
            let by = if drain.refuses_calls() { deadline.max(close) } else { deadline };
            drain.deadline = drain.deadline.min(by);
            turn.arm(drain.deadline);
        } else {
            self.start_drain(deadline.into(), turn);
        }
        let left = Deadline::At(deadline).left(turn.now);
        let message = format!("draining: {} still to finish, {left:.1?} left", self.calls_to_end());
        turn.note(Note::event(EntryKind::Draining, message));
    }

    /// The arbiter ends because another one serves: no call is killed for it.
    pub(in super::super) fn begin_giving_way(&mut self, turn: &mut Turn<'_>) {
        if self.phase.drain().is_some() {
            return;
        }
        self.start_drain(Deadline::Never, turn);
        let limit = self.shared.drain_timeout;
        for id in self.fleet.workers_that(|_| true) {
            turn.tell(id, Control::EndStreams(turn.now + limit));
        }
        let message = format!(
            "a new dirty arbiter serves; this one has {} still to finish (calls: their own timeouts; streams: up to {limit:?}, drain_timeout)",
            self.calls_to_end()
        );
        turn.note(Note::event(EntryKind::Draining, message));
    }

    fn calls_to_end(&self) -> String {
        count(self.dispatch.calls() as u64, "call")
    }

    fn start_drain(&mut self, deadline: Deadline, turn: &mut Turn<'_>) {
        self.abandon_reload("the arbiter is draining", turn);
        self.phase = Phase::Draining(Drain { deadline, step: Step::Open });
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
        let close = turn.now + WORKERS_CLOSE;
        drain.deadline = match drain.deadline {
            Deadline::At(at) => at.max(close).into(),
            Deadline::Never => Deadline::after(close, self.shared.graceful_timeout),
        };
        turn.arm(drain.deadline);
        for id in self.fleet.workers_that(|_| true) {
            self.send_away(id, "the arbiter is stopping", turn);
        }
    }

    /// At the deadline calls are killed with their workers; workers without calls
    /// have a moment to close, then what is left is killed.
    pub(in super::super) fn enforce_drain(&mut self, turn: &mut Turn<'_>) {
        let Phase::Draining(drain) = &mut self.phase else { return };
        if drain.step == Step::Forced {
            return;
        }
        if !drain.deadline.is_over(turn.now) {
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
        drain.deadline = Deadline::after(turn.now, WORKERS_CLOSE);
        turn.arm(drain.deadline);
        let apps: Vec<AppId> = self.fleet.apps().map(|(id, _)| id).collect();
        for app in apps {
            self.dispatch.refuse_waiting(app, &CallError::Draining, turn);
        }
        for id in self.fleet.workers_that(|_| true) {
            let loading = self.fleet.worker(id).and_then(Worker::loading).is_some();
            match self.dispatch.load(id) > u32::from(loading) {
                true => self.cut_off_all(id, turn),
                false => self.send_away(id, "the arbiter is stopping", turn),
            }
        }
    }

    /// Ends a worker with its calls, and says which.
    fn cut_off_all(&mut self, id: WorkerId, turn: &mut Turn<'_>) {
        for call in self.dispatch.awaited_in(id) {
            let Some(app) = self.dispatch.app_of(call) else { continue };
            let Some(app) = self.fleet.find_app(app) else { continue };
            let message = format!("call {call} to app `{}` was cut off: {OVER}", app.path());
            self.note_call(EntryKind::CallCutOff, id, call, message, turn);
        }
        self.end_now(id, OVER, turn);
    }
}
