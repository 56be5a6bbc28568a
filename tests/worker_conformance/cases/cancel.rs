use std::{fs, path::PathBuf};

use dirtyd_client::{
    Value,
    proto::worker::{CancelReason, ErrorKind},
};

use crate::{arbiter::Arbiter, runtime::Runtime};

/// A stream that leaves a mark when it is closed, held by its credit.
fn held(arbiter: &mut Arbiter) -> (u64, PathBuf) {
    let mark = arbiter.dir.path().join("mark");
    let path = Value::from(mark.to_str().expect("UTF-8"));
    let id = arbiter.stream("watched", [1_000_000.into(), path], 2, 1000);
    assert_eq!([arbiter.chunk(id), arbiter.chunk(id)], [0.into(), 1.into()]);
    (id, mark)
}

fn still_serves(arbiter: &mut Arbiter) {
    let id = arbiter.call("echo", ["on".into()]);
    assert_eq!(arbiter.result(id), "on".into());
}

pub fn caller_gone_closes_the_generator(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let (id, mark) = held(&mut arbiter);
    arbiter.cancel(id, CancelReason::CallerGone);
    arbiter.failure(id, ErrorKind::Cancelled);
    assert_eq!(
        fs::read_to_string(mark).ok().as_deref(),
        Some("closed"),
        "closed before the answer"
    );
    still_serves(&mut arbiter);
}

pub fn caller_gone_ends_an_async_action(runtime: &Runtime) {
    ends_a_nap(runtime, CancelReason::CallerGone);
}

pub fn deadline_ends_an_async_action(runtime: &Runtime) {
    ends_a_nap(runtime, CancelReason::Deadline);
}

fn ends_a_nap(runtime: &Runtime, reason: CancelReason) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("nap", [600.0.into()]);
    arbiter.cancel(id, reason);
    arbiter.failure(id, ErrorKind::Cancelled);
    still_serves(&mut arbiter);
}

pub fn timeout_interrupts(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("busy", [600.0.into()]);
    arbiter.cancel(id, CancelReason::Timeout);
    arbiter.failure(id, ErrorKind::Cancelled);
    still_serves(&mut arbiter);
}

pub fn the_stacks_are_printed_and_nothing_ends(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("busy", [600.0.into()]);
    arbiter.dump_stacks("busy");
    arbiter.cancel(id, CancelReason::Timeout);
    arbiter.failure(id, ErrorKind::Cancelled);
    still_serves(&mut arbiter);
}

pub fn a_harder_cancel_after_a_soft_one(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("busy", [600.0.into()]);
    arbiter.cancel(id, CancelReason::Deadline);
    arbiter.cancel(id, CancelReason::Timeout);
    arbiter.failure(id, ErrorKind::Cancelled);
    still_serves(&mut arbiter);
}

pub fn unknown_calls_are_ignored(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    for reason in [CancelReason::CallerGone, CancelReason::Deadline, CancelReason::Timeout] {
        arbiter.cancel(99, reason);
    }
    arbiter.credit(99, 1, 1);
    still_serves(&mut arbiter);
    // Call 1 has ended; frames for it may still be under way.
    arbiter.cancel(1, CancelReason::Timeout);
    arbiter.credit(1, 1, 1);
    still_serves(&mut arbiter);
}

pub fn ping_is_answered_while_busy(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("busy", [600.0.into()]);
    arbiter.ping(5);
    arbiter.cancel(id, CancelReason::Timeout);
    arbiter.failure(id, ErrorKind::Cancelled);
}
