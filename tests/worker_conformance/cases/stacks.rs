use std::time::{Duration, Instant};

use dirtyd_client::proto::{
    v1::{Stack, StackKind},
    worker::{CancelReason, ErrorKind, WorkerFrame, worker_frame::Kind},
};
use prost::Message as _;

use crate::{arbiter::Arbiter, runtime::Runtime};

const PATIENCE: Duration = Duration::from_secs(20);

fn ready(runtime: &Runtime) -> Arbiter {
    Arbiter::ready_with(runtime, "stacks", |_| {})
}

/// The stack of a call, once it has what is asked for: the call may not have begun yet.
fn stack_of(arbiter: &mut Arbiter, id: u64, has_begun: fn(&Stack) -> bool) -> Stack {
    let limit = Instant::now() + PATIENCE;
    for nonce in 1.. {
        let stacks = arbiter.stacks(nonce).stacks;
        if let Some(stack) = stacks.iter().find(|stack| stack.call_id == id && has_begun(stack)) {
            return stack.clone();
        }
        assert!(Instant::now() < limit, "call {id} is not in the stacks: {stacks:?}");
    }
    unreachable!("numbers do not end")
}

pub fn they_come_while_an_action_is_busy(runtime: &Runtime) {
    let mut arbiter = ready(runtime);
    let id = arbiter.call("busy", [600.0.into()]);
    // Only Python shows frames.
    let stack = if runtime.name == "python" {
        let is_busy = |stack: &Stack| stack.frames.iter().any(|frame| frame.function == "App.busy");
        let stack = stack_of(&mut arbiter, id, is_busy);
        let frame = stack.frames.last().expect("a frame");
        assert!(frame.file.ends_with("conformant.py") && frame.line > 0, "{frame:?}");
        assert_eq!(frame.source, "time.sleep(seconds)");
        stack
    } else {
        stack_of(&mut arbiter, id, |_| true)
    };
    assert!(!stack.name.is_empty());
    assert_ne!(stack.kind(), StackKind::Unspecified);
    assert!(!stack.frames.is_empty() || !stack.note.is_empty(), "no frames, and nobody says why");
    arbiter.cancel(id, CancelReason::Timeout);
    arbiter.failure(id, ErrorKind::Cancelled);
    let id = arbiter.call("echo", ["on".into()]);
    assert_eq!(arbiter.result(id), "on".into());
}

pub fn an_idle_worker_runs_no_call(runtime: &Runtime) {
    let mut arbiter = ready(runtime);
    let id = arbiter.call("echo", ["on".into()]);
    arbiter.result(id);
    // The worker may still be busy with the end of the call that it has answered.
    let limit = Instant::now() + PATIENCE;
    while arbiter.stacks(7).stacks.iter().any(|stack| stack.call_id != 0) {
        assert!(Instant::now() < limit, "the call is still in the stacks");
    }
}

pub fn an_answer_is_no_larger_than_a_message(runtime: &Runtime) {
    const LIMIT: usize = 400;
    let change = |welcome: &mut dirtyd_client::proto::worker::Welcome| {
        (welcome.threads, welcome.max_message_size) = (20, LIMIT as u64);
    };
    let mut arbiter = Arbiter::ready_with(runtime, "stacks", change);
    let ids: Vec<u64> = (0..20).map(|_| arbiter.call("nap", [600.0.into()])).collect();
    let stacks = arbiter.stacks(1);
    let frame = WorkerFrame { kind: Some(Kind::Stacks(stacks)) };
    assert!(frame.encoded_len() <= LIMIT, "it has {} bytes", frame.encoded_len());
    for id in ids {
        arbiter.cancel(id, CancelReason::CallerGone);
        arbiter.failure(id, ErrorKind::Cancelled);
    }
}
