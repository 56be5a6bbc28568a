//! The daemon, end to end: a file per behaviour, each test against a real
//! `dirtyd serve` of its own. `support` starts it, `apps` holds the Python apps
//! that it serves, `workers` the workers that misbehave.

#[allow(dead_code, unused_imports, reason = "the other test binary uses the rest")]
mod support;

mod access;
mod access_log;
mod allocation;
mod architecture;
mod backpressure;
mod boot;
mod cancellation;
mod cli;
mod crash;
mod deadlines;
mod dialects;
mod drain;
mod duck;
mod edge;
mod embed;
mod errors;
mod floods;
mod grpcurl;
mod held;
mod hostile_text;
mod http;
mod idle;
mod ladder;
mod memory;
mod messages;
mod metrics;
mod misbehave;
mod operate;
mod operate_cli;
mod output;
mod pools;
mod queue;
mod rust_client;
mod rust_worker;
mod spread;
mod streams;
mod strict;
mod threads;
mod top;
mod traces;
mod values;
