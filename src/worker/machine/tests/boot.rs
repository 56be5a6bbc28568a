//! From the start to the first call.

use std::time::Duration;

use super::rig::{APP, Rig, hello, pool, ready};
use dirtyd_client::proto::worker::{
    AppFailed, Failure, PayloadKind, Pong, arbiter_frame as arbiter, worker_frame::Kind,
};

use crate::worker::{Control, Report};

fn requests(rig: &Rig) -> Vec<(&str, &str, i32)> {
    let kinds = rig.sent.iter().filter_map(|kind| match kind {
        arbiter::Kind::Request(request) => {
            Some((request.app.as_str(), request.action.as_str(), request.payload_kind))
        }
        _ => None,
    });
    kinds.collect()
}

#[test]
fn the_first_list_is_loaded_one_app_at_a_time_and_ends_the_boot() {
    let mut rig = Rig::started();
    rig.tell(Control::Load(vec![APP.to_owned(), "other:App".to_owned()]));
    assert!(rig.sent.is_empty(), "nothing is asked before hello");
    rig.frame(hello(1, 2));
    assert!(matches!(&rig.sent[..], [arbiter::Kind::Welcome(welcome), arbiter::Kind::InitApp(_)]
        if welcome.protocol_version == 2));
    rig.frame(ready());
    assert!(matches!(rig.sent.last(), Some(arbiter::Kind::InitApp(app)) if app.app == "other:App"));
    assert!(matches!(&rig.reports[..], [Report::Loaded(..)]), "{:?}", rig.reports);
    let failure = Failure { message: "no".into(), ..Failure::default() };
    rig.frame(Kind::AppFailed(AppFailed {
        app: "other:App".into(),
        failure: Some(failure),
        needs_new_process: false,
    }));
    assert!(matches!(&rig.reports[1..], [Report::Loaded(_, Err(_)), Report::Booted]));
}

#[test]
fn an_empty_list_boots_at_once_but_not_before_hello() {
    let mut rig = Rig::started();
    rig.tell(Control::Load(Vec::new()));
    assert!(rig.reports.is_empty());
    rig.frame(hello(1, 0));
    assert!(matches!(&rig.reports[..], [Report::Booted]));
}

#[test]
fn a_request_names_app_and_action_from_version_2_on() {
    let mut rig = Rig::serving(1);
    rig.execute(1);
    assert_eq!(requests(&rig), [("", "", 0)]);
    let mut rig = Rig::serving(2);
    rig.execute(1);
    assert_eq!(requests(&rig), [(APP, "act", PayloadKind::ExecuteRequest.into())]);
    // Their names are only lent to the frame.
    rig.exit(0, 0);
    let given_back = &rig.bury().unstarted[0].request;
    assert_eq!((given_back.app.as_str(), given_back.action.as_str()), (APP, "act"));
    assert_eq!((given_back.request_id.as_str(), &given_back.payload[..]), ("r", &b"payload"[..]));
}

#[test]
fn a_boot_that_takes_too_long_has_its_stacks_dumped_and_is_killed() {
    let mut rig = Rig::started();
    rig.tell(Control::Load(vec![APP.to_owned()]));
    rig.frame(hello(1, 0));
    rig.pass(pool().boot_timeout);
    let why = "init() of app `app:App` did not finish within boot_timeout (60s)";
    assert_eq!(rig.done, [format!("stacks: {why}")]);
    rig.pass(pool().kill_grace / 2);
    assert!(rig.was_killed(why), "{:?}", rig.done);
}

#[test]
fn a_second_hello_and_an_answer_that_nobody_asked_for_are_breaches() {
    let mut rig = Rig::serving(2);
    rig.frame(hello(2, 0));
    assert!(rig.was_killed("it said hello a second time"), "{:?}", rig.done);
    let mut rig = Rig::serving(2);
    rig.frame(ready());
    assert!(rig.was_killed("it answered for app `app:App`"), "{:?}", rig.done);
    let mut rig = Rig::started();
    rig.frame(hello(3, 4));
    assert!(rig.was_killed("protocol versions 3 to 4"), "{:?}", rig.done);
}

#[test]
fn an_idle_worker_is_pinged_and_killed_if_it_does_not_answer() {
    let mut rig = Rig::serving(2);
    rig.pass(pool().heartbeat);
    assert!(matches!(&rig.sent[..], [arbiter::Kind::Ping(_)]), "{:?}", rig.sent);
    rig.frame(Kind::Pong(Pong { nonce: 1 }));
    rig.pass(pool().heartbeat * 2);
    assert_eq!(rig.done, ["stacks: it does not answer, although it is idle"]);
    rig.pass(pool().kill_grace);
    assert!(rig.was_killed("it did not answer the heartbeat"));
}

#[test]
fn pongs_without_end_are_a_reason_to_kill() {
    let mut rig = Rig::serving(2);
    for _ in 0..1000 {
        rig.frame(Kind::Pong(Pong { nonce: 9 }));
    }
    assert_eq!(rig.done, [""; 0]);
    rig.now += Duration::from_millis(999);
    rig.frame(Kind::Pong(Pong { nonce: 9 }));
    assert!(rig.was_killed("it sent more than 1000 frames in 1s"), "{:?}", rig.done);
}
