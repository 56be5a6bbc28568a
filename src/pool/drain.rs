//! The end of the arbiter: what is queued and running is finished, within the
//! time that there is; then the workers close and exit.

use std::time::{Duration, Instant};

use super::{
    journal::{About, EventKind},
    task::Pool,
};
use crate::{call::CallError, worker::Control};

/// How long the workers may take to close after the last call, if the deadline
/// is nearer: they have state to save.
const CLOSE: Duration = Duration::from_secs(1);

/// A drain in progress.
#[derive(Debug)]
pub struct Drain {
    deadline: Instant,
    /// No connection is left.
    edge_closed: bool,
    /// The workers are told to exit: no call can be served any more.
    workers_told: bool,
    /// The deadline has passed; what is left is killed.
    forced: bool,
}

impl Drain {
    /// Whether it is too late for a new call.
    pub fn refuses_calls(&self) -> bool {
        self.workers_told
    }
}

impl Pool {
    pub(super) fn begin_drain(&mut self, deadline: Instant) {
        if self.drain.is_some() {
            return;
        }
        self.abandon_reload("the arbiter is draining");
        self.drain =
            Some(Drain { deadline, edge_closed: false, workers_told: false, forced: false });
        let message = format!(
            "draining: {} calls have {:.1?} to end",
            self.calls.len(),
            deadline.saturating_duration_since(Instant::now())
        );
        self.journal.note(EventKind::Draining, About::default(), message);
        self.arm(deadline);
        self.end_drain_if_idle();
    }

    pub(super) fn on_edge_closed(&mut self) {
        if let Some(drain) = &mut self.drain {
            drain.edge_closed = true;
        }
        self.end_drain_if_idle();
    }

    /// Sends the workers home once the last call has ended and none can come.
    pub(super) fn end_drain_if_idle(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        if drain.workers_told || !drain.edge_closed || !self.calls.is_empty() {
            return;
        }
        drain.workers_told = true;
        drain.deadline = drain.deadline.max(Instant::now() + CLOSE);
        let ids: Vec<_> = self.workers.keys().copied().collect();
        for id in ids {
            self.send_away(id, "the arbiter ends");
        }
    }

    pub(super) fn enforce_drain(&mut self, now: Instant) {
        let Some(drain) = &mut self.drain else { return };
        if drain.deadline > now || drain.forced {
            let deadline = drain.deadline;
            if !drain.forced {
                self.arm(deadline);
            }
            return;
        }
        drain.forced = true;
        drain.workers_told = true;
        for app in 0..self.apps.len() {
            self.refuse_waiting(super::ids::AppId(app), &CallError::Draining);
        }
        for worker in self.workers.values() {
            worker.handle.tell(Control::Kill("graceful_timeout passed".to_owned()));
        }
    }

    /// Whether the drain is over: every process is gone.
    pub(super) fn is_drained(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.workers_told) && self.workers.is_empty()
    }
}
