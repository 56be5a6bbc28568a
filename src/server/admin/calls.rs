//! Calls, and what workers do, as messages.

use std::time::Instant;

use dirtyd_client::proto::v1;

use super::picture::duration;
use crate::{
    call::{CallView, Cancelled, PlaceView, WaitReason},
    clock::Deadline,
    pool::NoAnswer,
};

/// The most calls of an answer, if the question names no number.
const DEFAULT_LIMIT: usize = 1000;

/// The calls that were asked for, of all.
pub fn listed(
    calls: Vec<CallView>,
    request: &v1::ListCallsRequest,
    now: Instant,
) -> v1::ListCallsResponse {
    let limit = match request.limit {
        0 => DEFAULT_LIMIT,
        limit => limit as usize,
    };
    let is_asked_for = |call: &CallView| request.app.is_empty() || call.app == request.app;
    let mut calls = calls.into_iter().filter(is_asked_for);
    let shown = calls.by_ref().take(limit).map(|call| call_status(call, now)).collect();
    v1::ListCallsResponse { calls: shown, left_out: calls.count() as u32 }
}

fn call_status(call: CallView, now: Instant) -> v1::CallStatus {
    let since = |moment: Instant| duration(now.saturating_duration_since(moment));
    let mut status = v1::CallStatus {
        id: call.id.0,
        app: call.app,
        action: call.action,
        stream: call.stream,
        age: Some(since(call.arrived)),
        time_left: match call.answer_by {
            Deadline::Never => None,
            by @ Deadline::At(_) => Some(duration(by.left(now))),
        },
        peer: call.peer.to_string(),
        request_id: call.request_id,
        ..v1::CallStatus::default()
    };
    match call.place {
        PlaceView::Waits { reason, message } => {
            status.state = v1::CallState::Queued.into();
            status.wait_reason = wait_reason(reason).into();
            status.waits_for = message;
        }
        PlaceView::Runs { worker, started, awaited, chunks } => {
            let state = match awaited {
                true => v1::CallState::Running,
                false => v1::CallState::Abandoned,
            };
            status.state = state.into();
            status.running_for = Some(since(started));
            (status.worker_id, status.worker_pid) = (worker.id, worker.pid);
            status.chunks = chunks;
        }
    }
    status
}

fn wait_reason(reason: WaitReason) -> v1::WaitReason {
    match reason {
        WaitReason::Slot => v1::WaitReason::Slot,
        WaitReason::Worker => v1::WaitReason::Worker,
        WaitReason::UserLimit => v1::WaitReason::UserLimit,
    }
}

/// Where a call was that an operator cancelled.
pub fn state_of(was: Cancelled) -> v1::CallState {
    match was {
        Cancelled::Waiting => v1::CallState::Queued,
        Cancelled::Running => v1::CallState::Running,
        Cancelled::Abandoned => v1::CallState::Abandoned,
    }
}

/// Why there are no stacks, and what else shows them.
pub fn why_no_stacks(why: NoAnswer) -> &'static str {
    match why {
        NoAnswer::Unable => "the runtime of this worker cannot tell what it does",
        NoAnswer::Late => {
            "the worker did not answer within 2 seconds: native code may hold its interpreter; `dirtyd stacks --native` looks from outside"
        }
        NoAnswer::Gone => "the worker ended before it answered",
    }
}
