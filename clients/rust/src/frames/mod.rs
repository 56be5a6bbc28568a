//! Frames between the arbiter and a worker: four bytes of length, big-endian,
//! then one encoded message. See `proto/dirty/worker/v1/worker.proto`. A leaf
//! that both sides share: the arbiter and the worker SDK.
//!
//! Payloads are never copied when they are large and never opened: reading
//! gives them as slices of the read buffer, writing hands them to writev.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{FrameError, FrameReader};
pub use writer::FrameWriter;

/// The bytes of a frame's length.
const PREFIX: usize = 4;
