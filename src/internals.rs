//! The parts that `benches/micro` measures alone. They are here only with the
//! feature `internals`, which nothing but the benchmarks turns on: no promise
//! goes with them, and the crate's public face stays as it is.

pub use crate::{
    call::CallId,
    pool::{
        ids::{AppId, WorkerId},
        scheduler::{Scheduler, Taken, Verdict},
    },
    server::{
        authority::AuthorityRepair,
        envelope::Envelope,
        message::{Message, read as read_message},
    },
};
