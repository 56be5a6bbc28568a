//! What is said and done when a call is overdue.

use std::time::Duration;

use super::{
    Action,
    slot::{Asked, Slot, Step},
    turn::Turn,
};
use dirtyd_client::proto::worker::CancelReason;

use crate::{
    call::{CallError, WorkerRef},
    worker::Report,
};

/// Carries out one step of a call. Returns why the worker is to be killed, if
/// it is.
pub fn carry_out(
    slot: &mut Slot,
    step: Step,
    worker: WorkerRef,
    kill_grace: Duration,
    turn: &mut Turn<'_>,
) -> Option<String> {
    let id = slot.id;
    let action = format!("{}.{}", slot.request.app, slot.request.action);
    let (timeout, request) = (slot.timeout, slot.request.request_id.clone());
    if let (Some(story), Some(name)) = (&slot.request.story, traced(step)) {
        story.step(name, turn.now);
    }
    match step {
        Step::CallerDeadline => {
            let message = format!(
                "{action} did not finish before the caller's deadline; it was asked to stop, and may go on until its own timeout"
            );
            answer(slot, message, turn);
            turn.send_cancel(id, CancelReason::Deadline);
        }
        Step::Timeout => {
            let message = format!(
                "{action} did not finish within its timeout of {timeout:?} (which includes its time in the queue) and is interrupted"
            );
            answer(slot, message, turn);
            turn.send_cancel(id, CancelReason::Deadline);
        }
        Step::ReaderStalled => {
            let message = format!(
                "the caller of {action} read nothing for {timeout:?}; the stream was stopped"
            );
            answer(slot, message.clone(), turn);
            turn.send_cancel(id, CancelReason::CallerGone);
            turn.report(Report::TimedOut(id, message));
        }
        Step::CutOff => {
            let ran = turn.now.saturating_duration_since(slot.started());
            let message = format!(
                "{action} streamed for {ran:.1?}, and {worker} is to leave (drain_timeout); the stream was cut off, and may have had effects"
            );
            if let Some(reply) = slot.take_reply(turn.now) {
                let cut_off = CallError::CutOff { message: message.clone() };
                turn.report(Report::Abandoned(id));
                turn.act(Action::Answer(reply, Err(cut_off)));
                turn.report(Report::CutOff(id, format!("{message} (request {request})")));
            }
            turn.send_cancel(id, CancelReason::CallerGone);
        }
        Step::Raise if let Some(asked) = slot.asked_to_end() => {
            turn.send_cancel(id, CancelReason::Timeout);
            let why = after(asked);
            turn.warn(format!(
                "{action} did not stop in {worker} within {kill_grace:?} after {why}: interrupting it with an exception; if it has not stopped within {kill_grace:?}, its worker will be killed"
            ));
        }
        Step::Raise => {
            let message = format!("{action} ran for its whole timeout of {timeout:?}");
            answer(slot, format!("{message} and is interrupted"), turn);
            turn.send_cancel(id, CancelReason::Timeout);
            let peer = slot.request.peer.clone();
            turn.report(Report::TimedOut(
                id,
                format!(
                    "{message} in {worker}, called by {peer}, request {request}: interrupting it with an exception; if it has not stopped within {kill_grace:?}, its worker will be killed and replaced"
                ),
            ));
        }
        Step::DumpStacks => turn.dump_stacks(format!("{action} did not stop when interrupted")),
        Step::Kill if let Some(asked) = slot.asked_to_end() => {
            return Some(format!("{action} did not stop after {}", after(asked)));
        }
        Step::Kill => {
            return Some(format!("{action} did not stop after its timeout of {timeout:?}"));
        }
    }
    None
}

fn after(asked: Asked) -> &'static str {
    match asked {
        Asked::ForLeaving => "its stream was cut off, because its worker is to leave",
        Asked::ByOperator => "an operator cancelled it",
    }
}

/// The name of a step in a trace. Those that answer the caller are told by its outcome.
fn traced(step: Step) -> Option<&'static str> {
    match step {
        Step::CallerDeadline | Step::Timeout => None,
        Step::ReaderStalled => Some("reader stalled"),
        Step::CutOff => Some("cut off"),
        Step::Raise => Some("raise"),
        Step::DumpStacks => Some("dump stacks"),
        Step::Kill => Some("kill"),
    }
}

/// Tells the caller that its time is over, if it still waits.
fn answer(slot: &mut Slot, message: String, turn: &mut Turn<'_>) {
    if let Some(reply) = slot.take_reply(turn.now) {
        turn.report(Report::Abandoned(slot.id));
        turn.act(Action::Answer(reply, Err(CallError::ExecutionTimeout { message })));
    }
}
