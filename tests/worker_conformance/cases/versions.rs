use dirtyd_client::{
    Args,
    proto::worker::{
        ErrorKind, GetStacks, Request, Shutdown, Welcome, arbiter_frame::Kind, worker_frame,
    },
};

use crate::{
    arbiter::{APP, Arbiter, request, with_names},
    runtime::{Runtime, versions},
};

pub fn hello_says_which_are_spoken(runtime: &Runtime) {
    let hello = Arbiter::start(runtime).hello();
    let (spoken, version) = (versions(&hello), runtime.version);
    assert!(spoken.contains(&version), "it speaks {spoken:?}, the arbiter {version}");
    let mut names = hello.capabilities.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), hello.capabilities.len(), "a capability stands there twice");
    assert!(names.iter().all(|name| !name.is_empty()), "a capability without a name");
}

/// What becomes of a worker whose lowest version is newer than its arbiter.
pub fn an_older_version_ends_it(runtime: &Runtime) {
    ends(runtime, |lowest, _| lowest - 1);
}

pub fn a_newer_version_ends_it(runtime: &Runtime) {
    ends(runtime, |_, latest| latest + 1);
}

fn ends(runtime: &Runtime, choose: fn(u32, u32) -> u32) {
    let mut arbiter = Arbiter::start(runtime);
    let (lowest, latest) = versions(&arbiter.hello()).into_inner();
    let protocol_version = choose(lowest, latest);
    let welcome = Welcome { protocol_version, ..arbiter.welcome(1) };
    arbiter.send(Kind::Welcome(welcome));
    assert_ne!(arbiter.exit(), 0);
}

pub fn unknown_capabilities_are_ignored(runtime: &Runtime) {
    let mut arbiter = Arbiter::start(runtime);
    arbiter.hello();
    let capabilities = vec!["nobody knows it".to_owned(), String::new()];
    let welcome = Welcome { capabilities, ..arbiter.welcome(1) };
    arbiter.send(Kind::Welcome(welcome));
    let answer = arbiter.init(APP);
    assert!(matches!(answer, worker_frame::Kind::AppReady(_)), "expected AppReady, got {answer:?}");
    let id = arbiter.call("echo", ["on".into()]);
    assert_eq!(arbiter.result(id), "on".into());
}

/// From version 2 on it is the frame, before that the payload, whatever the other says.
pub fn one_of_frame_and_payload_names_the_action(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let names = [("nowhere:App", "nonesuch"), (APP, "nonesuch"), ("nowhere:App", "echo"), ("", "")];
    for (app, action) in names {
        let right = request("echo", ["right".into()].into());
        let mut wrong = right.clone();
        (wrong.app, wrong.action) = (app.to_owned(), action.to_owned());
        let (framed, payload) = if arbiter.version < 2 { (wrong, right) } else { (right, wrong) };
        let frame = arbiter.frame(&payload, None);
        let id = arbiter.start_call(with_names(2, &framed.app, &framed.action, frame));
        assert_eq!(arbiter.result(id), "right".into());
    }
}

/// Version 1 has no such field, so that a worker of it does not look there. JSON (2) is a kind only
/// if Welcome has the capability.
pub fn payload_kinds_that_nobody_agreed_on(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    for payload_kind in [0, 2, 77, i32::MAX] {
        let frame = arbiter.frame(&request("arguments", Args::none()), None);
        let id = arbiter.start_call(Request { payload_kind, ..frame });
        if arbiter.version < 2 {
            arbiter.result(id);
            continue;
        }
        let failure = arbiter.failure(id, ErrorKind::InvalidRequest).failure.expect("a failure");
        assert!(failure.message.contains(&format!("kind {payload_kind}")), "{}", failure.message);
    }
    let id = arbiter.call("echo", ["on".into()]);
    assert_eq!(arbiter.result(id), "on".into());
}

/// No Metrics and no Stacks without their capabilities.
pub fn what_nobody_agreed_on_is_not_sent(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("measure", [1.into(), "a".into()]);
    arbiter.result(id);
    arbiter.send(Kind::GetStacks(GetStacks { nonce: 1 }));
    arbiter.ping(2);
    arbiter.send(Kind::Shutdown(Shutdown {}));
    assert_eq!(arbiter.rest(), []);
}
