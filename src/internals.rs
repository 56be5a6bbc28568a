//! The parts that `benches/micro` measures alone, and the simulations that a
//! runner tells stories of. They are here only with the feature `internals`,
//! which nothing but those turns on: no promise goes with them, and the crate's
//! public face stays as it is.

pub use crate::{
    call::CallId,
    frames::{FrameReader, FrameWriter},
    main_arbiter::simulation as main_arbiter,
    pool::{
        ids::{AppId, WorkerId},
        scheduler::{Scheduler, Taken, Verdict},
    },
    process::{Socket, SocketReader, SocketWriter},
    server::{
        authority::AuthorityRepair,
        envelope::Envelope,
        message::{Message, read as read_message},
    },
};
