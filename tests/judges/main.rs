//! Programs of others judge the edge, each with cases of its own: a file per judge. What a judge
//! finds wrong although it is none of the edge's faults stands in a list beside it, with the
//! reason. A run fails if another case fails, and if one of the list passes.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other test binaries use the rest")]
mod support;

#[path = "../support/loopback.rs"]
mod loopback;

mod connectrpc;
mod h2spec;
mod health_probe;
mod known;
mod program;
mod proxy;
