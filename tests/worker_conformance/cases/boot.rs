use std::fs;

use dirtyd_client::proto::worker::{ImportApp, arbiter_frame, worker_frame::Kind};

use crate::{
    arbiter::{APP, Arbiter},
    runtime::Runtime,
};

pub fn hello_comes_first(runtime: &Runtime) {
    let hello = Arbiter::start(runtime).hello();
    assert!(hello.runtime.contains("dirtyd"), "the runtime is {:?}", hello.runtime);
}

pub fn import_tells_workers(runtime: &Runtime) {
    let mut arbiter = Arbiter::greeted(runtime, 1);
    for (app, workers) in [(APP, Some(2)), ("conformant:Flaky", None)] {
        arbiter.send(arbiter_frame::Kind::ImportApp(ImportApp { app: app.to_owned() }));
        match arbiter.next() {
            Kind::AppImported(imported) => {
                assert_eq!((imported.app.as_str(), imported.workers), (app, workers));
            }
            other => panic!("expected AppImported, got {other:?}"),
        }
    }
}

pub fn import_of_a_missing_app_fails(runtime: &Runtime) {
    let mut arbiter = Arbiter::greeted(runtime, 1);
    let app = "conformant:Missing".to_owned();
    arbiter.send(arbiter_frame::Kind::ImportApp(ImportApp { app: app.clone() }));
    for answer in [arbiter.next(), arbiter.init(&app)] {
        match answer {
            Kind::AppFailed(failed) => {
                assert_eq!(failed.app, app);
                let failure = failed.failure.expect("a failure");
                assert!(failure.message.contains("Missing"), "{}", failure.message);
                assert!(!failure.exception_type.is_empty());
            }
            other => panic!("expected AppFailed, got {other:?}"),
        }
    }
}

pub fn apps_load(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("echo", [1.into()]);
    assert_eq!(arbiter.result(id), 1.into());
}

pub fn failed_init_is_told_and_can_be_retried(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    match arbiter.init("conformant:Flaky") {
        Kind::AppFailed(failed) => {
            let failure = failed.failure.expect("a failure");
            assert!(failure.message.contains("not healed"), "{}", failure.message);
            assert!(failure.traceback.contains("conformant."), "{}", failure.traceback);
        }
        other => panic!("expected AppFailed, got {other:?}"),
    }
    let id = arbiter.call("echo", ["the other app serves".into()]);
    assert_eq!(arbiter.result(id), "the other app serves".into());
    fs::write(arbiter.dir.path().join("healed"), "").expect("write");
    let answer = arbiter.init("conformant:Flaky");
    assert!(matches!(answer, Kind::AppReady(_)), "expected AppReady, got {answer:?}");
}

pub fn ping_is_answered(runtime: &Runtime) {
    let mut arbiter = Arbiter::greeted(runtime, 1);
    arbiter.ping(u64::MAX);
}
