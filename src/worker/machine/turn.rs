//! One turn of the machine: one event, at one time, and what comes of it.

use std::time::Instant;

use super::{Action, Level, hello::StackDump};
use dirtyd_client::proto::worker::{Cancel, CancelReason, arbiter_frame::Kind};

use crate::{call::CallId, clock::Deadline, worker::Report};

/// How far the worker can still be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It reads frames.
    Socket,
    /// Its socket has ended; signals reach it.
    Signals,
    /// It was killed or has ended.
    Nothing,
}

/// What the parts of the machine share while they handle one event. What cannot
/// reach the worker any more is left out here, so that no part has to ask.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The time of the event.
    pub now: Instant,
    reach: Reach,
    stack_dump: StackDump,
    actions: &'a mut Vec<Action>,
    due: Deadline,
}

impl<'a> Turn<'a> {
    /// A turn in which nothing has been decided yet.
    pub fn new(
        now: Instant,
        reach: Reach,
        stack_dump: StackDump,
        actions: &'a mut Vec<Action>,
    ) -> Self {
        Self { now, reach, stack_dump, actions, due: Deadline::Never }
    }

    /// Whether the worker reads frames.
    pub fn is_open(&self) -> bool {
        self.reach == Reach::Socket
    }

    /// From here on only `reach` is left.
    pub fn narrow(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Sends a frame, if the worker reads any.
    pub fn send(&mut self, kind: Kind) {
        if self.is_open() {
            self.actions.push(Action::Send(Box::new(kind)));
        }
    }

    /// Asks the worker to end a call.
    pub fn send_cancel(&mut self, call: CallId, reason: CancelReason) {
        self.send(Kind::Cancel(Cancel { call_id: call.0, reason: reason.into() }));
    }

    /// Has the worker print its stacks, if it can.
    pub fn dump_stacks(&mut self, why: String) {
        let how = self.stack_dump;
        if how.signal > 0 && self.reach != Reach::Nothing {
            self.actions.push(Action::DumpStacks { how, why });
        }
    }

    /// Tells the pool.
    pub fn report(&mut self, report: Report) {
        self.actions.push(Action::Report(report));
    }

    /// Logs a warning.
    pub fn warn(&mut self, text: String) {
        self.actions.push(Action::Log(Level::Warn, text));
    }

    /// Does something else.
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Makes the next alarm ring at `due` at the latest.
    pub fn arm(&mut self, due: Deadline) {
        self.due = self.due.min(due);
    }

    /// When the next alarm should ring because of this turn.
    pub fn due(&self) -> Deadline {
        self.due
    }
}
