//! The clock of a worker's task: the timeout ladder of its calls, the heartbeat,
//! the limits of a boot and of an exit.

use std::time::Instant;

use dirtyd_client::proto::worker::{CancelReason, Ping, arbiter_frame};

use super::Task;
use crate::{
    call::{CallError, CallId},
    worker::{
        Event,
        pulse::Beat,
        running::{Running, Step},
    },
};

impl Task {
    /// Makes the alarm ring at `due` at the latest.
    pub(super) fn arm(&mut self, due: Option<Instant>) {
        self.due = self.due.min(due.into());
    }

    pub(super) async fn on_alarm(&mut self) {
        let now = Instant::now();
        let due: Vec<CallId> = (self.calls.iter())
            .filter(|(_, call)| call.due().is_some_and(|due| due <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            while let Some(step) = self.calls.get_mut(&id).and_then(|call| call.step(now)) {
                self.climb(id, step, now).await;
            }
        }
        let busy = !self.calls.is_empty() || !self.loading.is_booted() || self.draining;
        match self.pulse.step(busy || self.loading.current_app().is_some(), now) {
            Some(Beat::Ping) => self.push(arbiter_frame::Kind::Ping(Ping { nonce: 1 })),
            Some(Beat::DumpStacks) => self.dump_stacks("it does not answer though it is idle"),
            Some(Beat::Kill) => self.kill("it did not answer the heartbeat".to_owned()),
            None => {}
        }
        self.end_overdue_load(now);
        if self.exit_by.is_some_and(|by| by <= now) {
            self.exit_by = None;
            let why = match (self.draining, self.closed) {
                (true, _) => "it did not exit within graceful_timeout",
                (false, _) => "it closed its socket but did not exit",
            };
            self.kill(why.to_owned());
        }
        self.rearm();
    }

    /// A load that takes too long: first the stacks, which need a moment to reach
    /// the log, then the end.
    fn end_overdue_load(&mut self, now: Instant) {
        let Some(why) = self.loading.overdue(now).filter(|_| self.killed.is_none()) else {
            self.overdue_ends = None;
            return;
        };
        match self.overdue_ends {
            Some(end) if end <= now => self.kill(why),
            Some(_) => {}
            None => {
                self.dump_stacks(&why);
                self.overdue_ends = Some(now + self.spec.pool.kill_grace / 2);
            }
        }
    }

    fn rearm(&mut self) {
        let loading = self.overdue_ends.or_else(|| self.loading.due());
        let loading = loading.filter(|_| self.killed.is_none());
        self.due = (self.calls.values().filter_map(Running::due))
            .chain(self.pulse.due())
            .chain(loading)
            .chain(self.exit_by)
            .min()
            .into();
    }

    /// One rung of a call's ladder.
    async fn climb(&mut self, id: CallId, step: Step, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let action = format!("{}.{}", call.request.app, call.request.action);
        let timeout = call.timeout;
        match step {
            Step::CallerDeadline => {
                let message = format!(
                    "{action} did not end before the caller's deadline; it was asked to stop, and {} keeps running",
                    self.worker
                );
                self.answer_timeout(id, message, now);
                self.push_cancel(id, CancelReason::Deadline);
            }
            Step::Timeout => {
                let message = format!(
                    "{action} did not end within the timeout of {timeout:?}, its wait in the queue included; it is interrupted"
                );
                self.answer_timeout(id, message, now);
                self.push_cancel(id, CancelReason::Deadline);
            }
            Step::ReaderStalled => {
                let message = format!(
                    "the caller of {action} read nothing for {timeout:?}; the stream is ended"
                );
                self.answer_timeout(id, message.clone(), now);
                self.push_cancel(id, CancelReason::CallerGone);
                self.report(Event::TimedOut(id, message)).await;
            }
            Step::Raise => {
                let message = format!("{action} ran for its whole timeout of {timeout:?}");
                let peer = call.request.peer;
                self.answer_timeout(id, format!("{message}; it is interrupted"), now);
                self.push_cancel(id, CancelReason::Timeout);
                let grace = self.spec.pool.kill_grace;
                let next = format!(
                    "{message} in {}, called by {peer}: raising in it; if it does not end within {grace:?} the worker is killed and replaced",
                    self.worker
                );
                self.report(Event::TimedOut(id, next)).await;
            }
            Step::DumpStacks => self.dump_stacks(&format!("{action} did not end when interrupted")),
            Step::Kill => self.kill(format!("{action} did not end {timeout:?} after it started")),
        }
    }

    fn answer_timeout(&mut self, id: CallId, message: String, now: Instant) {
        let reply = self.calls.get_mut(&id).and_then(|call| call.take_reply(now));
        if let Some(reply) = reply {
            reply.fail(CallError::ExecutionTimeout { message }, Some(self.worker));
        }
    }

    fn dump_stacks(&self, why: &str) {
        if self.stack_dump_signal > 0 {
            tracing::warn!(
                worker = self.worker.id,
                pid = self.worker.pid,
                "{why}; the stacks of {} follow",
                self.worker
            );
            self.process.signal(self.stack_dump_signal);
        }
    }
}
