//! The ends of a worker, and what becomes of its calls.

use std::time::Duration;

use bytes::Bytes;

use super::rig::{Caller, GRACEFUL, Rig, WINDOW, chunk, response};
use dirtyd_client::proto::worker::arbiter_frame as arbiter;

use crate::{
    call::{CallError, CallId, EndedBy, MOST_DEATHS, StreamItem, reply_channel},
    clock::Deadline,
    worker::{Control, machine::Event},
};

fn crashed(rig: &mut Rig, call: u64) -> EndedBy {
    match rig.answer(call) {
        Some(Err((CallError::WorkerCrashed { ended, .. }, Some(_)))) => ended,
        other => panic!("call {call}: {other:?}"),
    }
}

#[test]
fn what_was_written_is_lost_and_what_was_not_is_given_back() {
    let mut rig = Rig::serving(2);
    for call in 1..=3 {
        rig.execute(call);
    }
    rig.exit(2, 1);
    let death = rig.bury();
    assert_eq!(death.ended, EndedBy::Exit(3));
    assert_eq!(death.lost.iter().map(|end| end.call).collect::<Vec<_>>(), [CallId(1)]);
    let unstarted: Vec<_> = death.unstarted.iter().map(|call| (call.id.0, call.deaths)).collect();
    assert_eq!(unstarted, [(2, 1), (3, 0)], "the second was begun");
    assert_eq!(crashed(&mut rig, 1), EndedBy::Exit(3));
    assert_eq!((rig.answer(2), rig.answer(3)), (None, None));
    assert!(rig.machine.is_buried());
}

#[test]
fn a_call_that_may_be_deadly_goes_to_no_third_worker() {
    let mut rig = Rig::serving(2);
    let (reply, answer) = reply_channel();
    let mut call = rig.call(1, reply, Deadline::Never);
    call.deaths = MOST_DEATHS - 1;
    rig.tell(Control::Start(call));
    rig.callers.insert(1, Caller::Unary(answer));
    rig.exit(1, 0);
    assert_eq!(rig.bury().lost.len(), 1);
    crashed(&mut rig, 1);
    assert!(rig.done[0].starts_with("2 workers died while call 1 to app `app:App`"));
}

#[test]
fn nobody_starts_what_nobody_waits_for() {
    let mut rig = Rig::serving(2);
    for call in 1..=3 {
        rig.execute(call);
    }
    rig.cancel(1);
    rig.callers.insert(2, Caller::Gone); // its cancel is on its way
    rig.exit(0, 0);
    rig.execute(4); // from the channel, with its cancel
    rig.cancel(4);
    let death = rig.bury();
    assert_eq!(death.unstarted.iter().map(|call| call.id.0).collect::<Vec<_>>(), [3]);
    assert_eq!(death.lost.iter().map(|end| end.call.0).collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn a_stream_that_has_begun_has_no_second_beginning() {
    let mut rig = Rig::serving(2);
    rig.stream(1);
    rig.frame(chunk(1, 1)); // before it has read the whole request
    rig.exit(1, 0);
    assert_eq!(rig.bury().lost.len(), 1);
    assert!(matches!(rig.next(1), Some(StreamItem::Chunk(_))));
    assert!(matches!(rig.next(1), Some(StreamItem::Failed(..))));
}

#[test]
fn an_answer_that_is_in_the_socket_at_the_end_is_an_answer() {
    let mut rig = Rig::serving(2);
    rig.execute(1);
    rig.write_all();
    rig.tell(Control::Kill("the test says so".to_owned()));
    assert!(!rig.machine.reads(), "not before it has ended");
    rig.exit(1, 1);
    assert!(rig.machine.reads());
    rig.frame(response(1));
    let death = rig.bury();
    assert_eq!(death.ended, EndedBy::Killed("the test says so".to_owned()));
    assert!(death.lost.is_empty());
    assert_eq!(rig.answer(1), Some(Ok(Bytes::from_static(b"result"))));
}

#[test]
fn a_child_that_writes_for_ever_does_not_put_off_the_burial() {
    let mut rig = Rig::serving(2);
    rig.stream(1);
    rig.execute(2);
    rig.exit(2, 2);
    let mut frames = 0;
    while !rig.machine.is_buried() {
        rig.frame(response(99));
        frames += 1;
    }
    let most = u64::from(WINDOW.chunks) + 2 + 8; // a window, two last frames, a few others
    assert_eq!(frames, most + 1, "the last one is not looked at");
    crashed(&mut rig, 2);
}

#[test]
fn half_a_frame_is_named_and_leaves_the_worker_its_exit_code() {
    let mut rig = Rig::serving(2);
    rig.execute(1);
    rig.on(Event::Closed { within_frame: true });
    assert!(rig.done[0].ends_with("closed its socket in the middle of a frame"));
    rig.exit(1, 1);
    rig.bury();
    assert_eq!(crashed(&mut rig, 1), EndedBy::Exit(3));

    let mut rig = Rig::serving(2);
    rig.on(Event::Closed { within_frame: true });
    rig.pass(Duration::from_millis(100));
    assert!(rig.was_killed("in the middle of a frame and did not exit"), "{:?}", rig.done);

    let mut rig = Rig::serving(2);
    rig.exit(0, 0);
    rig.on(Event::Closed { within_frame: true });
    assert!(rig.done[0].ends_with("in the middle of a frame") && rig.machine.is_buried());
}

#[test]
fn an_exit_that_crosses_the_kill_keeps_its_code() {
    let mut rig = Rig::serving(2);
    rig.on(Event::Closed { within_frame: false });
    rig.pass(Duration::from_millis(100));
    assert!(rig.was_killed("it closed its socket but did not exit"), "{:?}", rig.done);
    rig.exit(0, 0);
    assert_eq!(rig.bury().ended, EndedBy::Exit(3), "it was about to exit");

    let mut rig = Rig::serving(2);
    rig.on(Event::Fault("it sent a malformed frame".to_owned()));
    rig.exit(0, 0);
    let why = EndedBy::Killed("it sent a malformed frame".to_owned());
    assert_eq!(rig.bury().ended, why, "the breach is the cause");
}

#[test]
fn a_drain_asks_first_and_kills_once_the_calls_have_ended() {
    let mut rig = Rig::serving(2);
    rig.execute(1);
    rig.tell(Control::Drain);
    assert!(matches!(rig.sent.last(), Some(arbiter::Kind::Shutdown(_))));
    rig.pass(Duration::from_secs(5));
    rig.frame(response(1));
    rig.pass(GRACEFUL - Duration::from_secs(1));
    assert_eq!(rig.done, [""; 0]);
    rig.pass(Duration::from_secs(1));
    assert!(rig.was_killed("it did not exit within graceful_timeout"), "{:?}", rig.done);
}

#[test]
fn a_worker_that_closes_its_socket_in_a_drain_has_the_rest_of_its_time() {
    let mut rig = Rig::serving(2);
    rig.tell(Control::Drain);
    rig.pass(GRACEFUL / 2);
    rig.on(Event::Closed { within_frame: false });
    rig.pass(GRACEFUL / 2 - Duration::from_millis(1));
    assert_eq!(rig.done, [""; 0]);
    rig.pass(Duration::from_millis(1));
    assert!(rig.was_killed("it did not exit within graceful_timeout"), "{:?}", rig.done);
}

#[test]
fn a_killed_worker_gets_nothing_more_and_its_calls_start_elsewhere() {
    let mut rig = Rig::serving(2);
    rig.tell(Control::Kill("the test says so".to_owned()));
    rig.execute(1);
    rig.tell(Control::Drain);
    rig.tell(Control::Load(vec!["late:App".to_owned()]));
    assert!(rig.sent.is_empty(), "{:?}", rig.sent);
    rig.exit(0, 0);
    assert_eq!(rig.bury().unstarted.len(), 1);
}

#[test]
fn a_breach_in_the_last_words_ends_the_burial() {
    let mut rig = Rig::serving(2);
    rig.stream(1);
    rig.exit(1, 1);
    for _ in 0..=WINDOW.chunks {
        rig.frame(chunk(1, 1));
    }
    assert!(rig.machine.is_buried(), "the chunk without credit was one too many");
    assert_eq!(rig.done.len(), 2, "{:?}", rig.done);
    assert!(rig.done[0].contains("broke the protocol before it exited: it overran"));
    assert!(rig.done[1].contains("died while running app:App.act (request r)"), "{:?}", rig.done);
}
