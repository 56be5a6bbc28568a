//! What becomes of calls while their worker lives.

use bytes::Bytes;

use super::rig::{Rig, TIMEOUT, chunk, pool, response};
use dirtyd_client::proto::worker::{
    CancelReason, Chunk, End, Hello, PayloadKind, arbiter_frame as arbiter, worker_frame::Kind,
};

use crate::{
    call::{CallError, CallId, StreamItem},
    worker::{Control, Report, machine::Event},
};

fn cancels(rig: &Rig) -> Vec<CancelReason> {
    let reasons = rig.sent.iter().filter_map(|kind| match kind {
        arbiter::Kind::Cancel(cancel) => Some(cancel.reason()),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn the_pool_hears_of_an_end_before_the_caller() {
    let mut rig = Rig::serving(2);
    rig.execute(1);
    assert_eq!(rig.on(Event::Frame(Some(response(1)))), ["report", "answer"]);
    assert_eq!(rig.answer(1), Some(Ok(Bytes::from_static(b"result"))));
    assert!(matches!(&rig.reports[..], [Report::Finished(end)] if end.served));
}

#[test]
fn json_goes_only_to_a_worker_that_reads_it() {
    let mut rig = Rig::serving(2);
    rig.execute_json(1);
    assert!(rig.sent.is_empty(), "it has not said that it reads JSON: {:?}", rig.sent);
    assert!(matches!(&rig.reports[..], [Report::Finished(end)] if !end.served), "the slot is free");
    assert!(matches!(rig.answer(1), Some(Err((CallError::InvalidRequest { .. }, _)))));

    let mut rig = Rig::started();
    rig.tell(Control::Load(Vec::new()));
    let capabilities = vec!["json".to_owned()];
    let hello = Hello { protocol_version: 2, capabilities, ..Hello::default() };
    rig.frame(Kind::Hello(hello));
    assert!(
        matches!(&rig.sent[..], [arbiter::Kind::Welcome(welcome)] if welcome.capabilities == ["json"])
    );
    rig.execute_json(1);
    assert!(matches!(rig.sent.last(), Some(arbiter::Kind::Request(request))
        if request.payload_kind() == PayloadKind::Json));
}

#[test]
fn the_end_of_a_stream_has_its_times() {
    let mut rig = Rig::serving(2);
    let started = rig.now;
    rig.stream(1);
    rig.pass(TIMEOUT / 2);
    rig.frame(chunk(1, 1));
    let first_chunk = Some(rig.now);
    rig.pass(TIMEOUT / 2);
    rig.frame(chunk(1, 1));
    rig.frame(Kind::End(End { call_id: 1 }));
    let [Report::Finished(end)] = rig.reports[..] else { panic!("{:?}", rig.reports) };
    assert_eq!((end.call, end.served, end.started), (CallId(1), true, started));
    assert_eq!((end.first_chunk, end.ended), (first_chunk, rig.now));
    assert!(matches!(rig.next(1), Some(StreamItem::Chunk(_))));
    assert!(matches!(rig.next(1), Some(StreamItem::Chunk(_))));
    assert!(matches!(rig.next(1), Some(StreamItem::End)));
}

#[test]
fn only_what_was_read_gives_credit_for_more() {
    let mut rig = Rig::serving(2);
    rig.stream(1);
    for _ in 0..4 {
        rig.frame(chunk(1, 1));
    }
    assert!(matches!(rig.next(1), Some(StreamItem::Chunk(_))));
    rig.return_credit(1);
    assert!(matches!(rig.sent.last(), Some(arbiter::Kind::Credit(credit)) if credit.chunks == 1));
    rig.frame(chunk(1, 1));
    assert_eq!(rig.done, [""; 0]);
    rig.frame(chunk(1, 1));
    assert!(rig.was_killed("it overran the credit of call 1"), "{:?}", rig.done);
}

#[test]
fn a_stuck_call_climbs_the_ladder() {
    let mut rig = Rig::serving(2);
    rig.execute(1);
    rig.pass(TIMEOUT);
    let answer = rig.answer(1).expect("at its deadline").expect_err("a timeout");
    assert!(matches!(answer.0, CallError::ExecutionTimeout { .. }), "{answer:?}");
    assert_eq!(cancels(&rig), [CancelReason::Deadline, CancelReason::Timeout]);
    let [Report::Abandoned(CallId(1)), Report::TimedOut(CallId(1), _)] = &rig.reports[..] else {
        panic!("{:?}", rig.reports)
    };
    rig.pass(pool().kill_grace / 2);
    assert_eq!(rig.done, ["stacks: app:App.act did not stop when interrupted"]);
    rig.pass(pool().kill_grace / 2);
    assert!(rig.was_killed("app:App.act did not stop after its timeout of 10s"));
}

#[test]
fn what_crosses_a_cancel_is_late_and_not_senseless() {
    let mut rig = Rig::serving(2);
    rig.stream(1);
    rig.cancel(1);
    assert_eq!(cancels(&rig), [CancelReason::CallerGone]);
    rig.frame(chunk(1, 1));
    rig.frame(Kind::End(End { call_id: 1 }));
    let reports = &rig.reports[..];
    let [Report::LateFrame, Report::Finished(end), Report::LateFrame] = reports else {
        panic!("{reports:?}")
    };
    assert!(!end.served, "nobody was there");
}

#[test]
fn frames_for_calls_that_are_not_here_are_counted_and_in_the_end_too_many() {
    let mut rig = Rig::serving(2);
    for number in 0..1000 {
        rig.frame(if number % 2 == 0 { response(5) } else { chunk(6, 1) });
    }
    assert_eq!(rig.reports.len(), 1000);
    assert_eq!(rig.done, [""; 0]);
    rig.frame(response(5));
    assert!(rig.was_killed("that were not asked for"), "{:?}", rig.done);
}

#[test]
fn an_abandoned_stream_may_not_flood_either() {
    let mut rig = Rig::serving(2);
    rig.stream(1);
    rig.cancel(1);
    for _ in 0..4 + 1000 {
        rig.frame(Kind::Chunk(Chunk { call_id: 1, payload: Bytes::new() }));
    }
    assert_eq!(rig.done, [""; 0], "within its credit nothing is senseless");
    rig.frame(chunk(1, 1));
    assert!(rig.was_killed("that were not asked for"), "{:?}", rig.done);
}

#[test]
fn execute_that_ends_like_a_stream_is_a_breach_and_still_answered() {
    let mut rig = Rig::serving(2);
    rig.execute(1);
    rig.frame(Kind::End(End { call_id: 1 }));
    assert!(rig.was_killed("it ended call 1 with End"), "{:?}", rig.done);
    rig.exit(1, 1);
    assert_eq!(rig.bury().lost.len(), 1);
    let (error, _) = rig.answer(1).expect("answered").expect_err("crashed");
    assert!(matches!(error, CallError::WorkerCrashed { .. }), "{error:?}");
}
