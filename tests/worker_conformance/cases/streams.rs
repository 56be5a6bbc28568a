use dirtyd_client::{Args, Value, proto::worker::ErrorKind};

use crate::{arbiter::Arbiter, runtime::Runtime};

pub fn chunks_then_end(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("count", [100.into()], 100, 100_000);
    for number in 0..100 {
        assert_eq!(arbiter.chunk(id), number.into());
    }
    arbiter.end(id);
}

pub fn an_empty_stream(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("count", [0.into()], 1, 1);
    arbiter.end(id);
}

pub fn a_plain_result_is_a_response(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("echo", ["one".into()], 1, 1);
    assert_eq!(arbiter.result(id), "one".into());
}

pub fn chunk_credit_is_kept_and_resumes(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("count", [10.into()], 3, 1_000_000);
    let mut numbers = 0..10;
    for grant in [3, 1, 4] {
        for number in numbers.by_ref().take(grant) {
            assert_eq!(arbiter.chunk(id), number.into());
        }
        arbiter.ping(1);
        arbiter.credit(id, if grant == 3 { 1 } else { 4 }, 0);
    }
    for number in numbers {
        assert_eq!(arbiter.chunk(id), number.into());
    }
    arbiter.end(id);
}

pub fn byte_credit_is_kept_and_resumes(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("blobs", [100_000.into(), 4.into()], 100, 150_000);
    let blob = Value::from(vec![0_u8; 100_000].as_slice());
    // The second chunk overdraws the bytes; the third has to wait.
    assert_eq!([arbiter.chunk(id), arbiter.chunk(id)], [blob.clone(), blob.clone()]);
    arbiter.ping(1);
    arbiter.credit(id, 0, 10); // still owed
    arbiter.ping(2);
    arbiter.credit(id, 0, 60_000);
    assert_eq!(arbiter.chunk(id), blob);
    arbiter.ping(3);
    arbiter.credit(id, 0, 1_000_000);
    assert_eq!(arbiter.chunk(id), blob);
    arbiter.end(id);
}

pub fn an_exception_after_chunks(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("fail_after", [2.into()], 9, 1000);
    assert_eq!([arbiter.chunk(id), arbiter.chunk(id)], [0.into(), 1.into()]);
    let failure = arbiter.failure(id, ErrorKind::App).failure.expect("a failure");
    assert_eq!(failure.message, "after 2");
}

pub fn a_chunk_that_is_too_large(runtime: &Runtime) {
    let mut arbiter = Arbiter::ready(runtime, 1);
    let id = arbiter.stream("blobs", [2_000_000.into(), 1.into()], 9, 9_000_000);
    arbiter.failure(id, ErrorKind::MessageTooLarge);
    let id = arbiter.call("arguments", Args::none());
    arbiter.result(id);
}
