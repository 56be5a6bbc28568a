//! The life of the processes, end to end: a file per behaviour, each test
//! against a real `dirtyd serve` with its main arbiter.

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the other test binary uses the rest")]
mod support;

use support::{family, innocent};

mod chaos;
mod death;
mod deploy_table;
mod deploys;
mod descriptors;
mod footprint;
mod hooks;
mod intensity;
mod load;
mod misbehave;
mod names;
mod pools;
mod recycle;
mod reload;
mod signals;
mod single;
mod succession;
mod systemd;
mod upgrade;
