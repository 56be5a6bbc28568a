use dirtyd_client::{
    Args,
    proto::worker::{Shutdown, arbiter_frame::Kind},
};

use crate::{arbiter::Arbiter, runtime::Runtime};

/// Waits for the exit; returns its code and whether close() ran.
fn exit(mut arbiter: Arbiter) -> (i32, bool) {
    let dir = std::mem::replace(&mut arbiter.dir, tempfile::tempdir().expect("directory"));
    let code = arbiter.exit();
    (code, dir.path().join("closed").exists())
}

pub fn shutdown_closes_apps_and_exits_0(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    arbiter.send(Kind::Shutdown(Shutdown {}));
    assert_eq!(exit(arbiter), (0, true));
}

pub fn shutdown_lets_a_call_finish(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 2);
    let held = arbiter.stream("count", [3.into()], 1, 1000);
    assert_eq!(arbiter.chunk(held), 0.into());
    arbiter.send(Kind::Shutdown(Shutdown {}));
    arbiter.ping(1);
    arbiter.credit(held, 9, 0);
    assert_eq!([arbiter.chunk(held), arbiter.chunk(held)], [1.into(), 2.into()]);
    arbiter.end(held);
    assert_eq!(exit(arbiter), (0, true));
}

pub fn end_of_file_ends_the_worker(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    arbiter.hang_up();
    assert_eq!(exit(arbiter), (0, true));
}

pub fn end_of_file_ends_a_busy_worker(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 3);
    arbiter.call("busy", [600.0.into()]);
    arbiter.call("nap", [600.0.into()]);
    arbiter.stream("count", [3.into()], 1, 1000);
    arbiter.hang_up();
    assert_eq!(exit(arbiter).0, 0);
}

pub fn garbage_ends_it(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    arbiter.send_frame(&[0xff; 9]);
    assert_ne!(exit(arbiter).0, 0);
}

pub fn an_unknown_kind_of_frame_ends_it(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    arbiter.send_frame(&[]);
    assert_ne!(exit(arbiter).0, 0);
}

pub fn an_endless_frame_ends_it(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.call("arguments", Args::none());
    arbiter.result(id);
    arbiter.send_bytes(&u32::MAX.to_be_bytes());
    assert_ne!(exit(arbiter).0, 0);
}
