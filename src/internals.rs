//! The parts that `benches/micro` measures alone, and the simulations. They are
//! here only with the feature `internals`, which nothing but the benchmarks and
//! `make sim` turns on: no promise goes with them, and the crate's public face
//! stays as it is.

pub use crate::{
    call::CallId,
    pool::machine::{
        ids::{AppId, WorkerId},
        scheduler::{Scheduler, Taken, Verdict},
    },
    server::{
        authority::AuthorityRepair,
        envelope::Envelope,
        grpc::{UnaryBody, read as read_message},
    },
};

/// The simulations of the pure machines, by the seed of a story.
pub mod simulation {
    pub use crate::pool::machine::simulation::story as pool;
}
