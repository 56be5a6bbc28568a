//! The parts that `benches/micro` measures alone, that `tests/fuzz` feeds with
//! bytes, that `tests/judges` serves with, and the simulations. They are here only with the feature `internals`,
//! which only benchmarks, tests and `make sim` turn on. They are not part of the
//! crate's public face and may change at any time.

pub use crate::{
    call::{CallId, Principal, Quota},
    cli::json::{parse as parse_json, render as render_json},
    pool::machine::{
        ids::{AppId, WorkerId},
        scheduler::{Scheduler, Taken, Verdict, Wait},
    },
    server::{
        Further,
        authority::AuthorityRepair,
        envelope::Envelope,
        grpc::{UnaryBody, read as read_message},
    },
};

mod edge;
pub use edge::serve_edge;

/// The simulations of the pure machines, by the seed of a story.
pub mod simulation {
    pub use crate::{
        main_arbiter::simulation::story as main_arbiter, pool::machine::simulation::story as pool,
        worker::machine::simulation::story as worker,
    };
}
