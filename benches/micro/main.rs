//! `make bench-micro`: the parts that every call passes, each alone and on one
//! core. Criterion compares with the run before, so that a change shows at once.
//!
//! What is measured is the crate's own code, opened by the feature `internals`.

mod authority;
mod forwarding;
mod frames;
mod scheduler;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// A minute for all of them: a tuner runs it again and again.
fn configuration() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
        .sample_size(30)
}

/// A runtime like the daemon's: one thread.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("the kernel has an epoll to give")
}

criterion_group! {
    name = micro;
    config = configuration();
    targets = scheduler::turns, frames::codec, authority::repair, forwarding::unopened
}
criterion_main!(micro);
