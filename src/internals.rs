//! The parts that `benches/micro` measures alone and `tests/fuzz` feeds with
//! bytes. They are here only with the feature `internals`, which only
//! benchmarks and tests turn on. They are not part of the crate's public face
//! and may change at any time.

pub use crate::{
    call::CallId,
    cli::json::{parse as parse_json, render as render_json},
    frames::{FrameReader, FrameWriter},
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
