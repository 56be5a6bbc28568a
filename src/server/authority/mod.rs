//! Lets clients that name a Unix socket's *path* as `:authority` talk to h2, and those that send a
//! header block in many frames.
//!
//! gRPC clients built on grpc-core (Python, C++, Ruby, PHP), grpc-java and grpc-swift send the
//! path, raw or percent-encoded, where HTTP wants `host:port`. The h2 crate parses that value as
//! [`http::uri::Authority`], and resets the stream with PROTOCOL_ERROR (hyperium/h2 pull 487,
//! grpc/grpc issue 38142, grpc/grpc-java issue 12664). [`AuthorityRepair`] stands between the
//! socket and h2, and replaces each byte that a host name cannot have by a harmless one:
//! `/run/x.sock` arrives as `-run-x.sock`.
//!
//! # Theory
//!
//! Header blocks are compressed with a table that both ends change in step (HPACK). A value may be
//! changed on the way only if neither end can tell: the repaired value has as many bytes as the
//! sent one, *decoded* (an entry counts against the table with that size) and *encoded* (no frame
//! changes its length). Then h2 stores the repaired value under the index that the client will use,
//! every later reference is right by itself, and the repair needs no table.
//!
//! ```text
//! io.rs       bytes in, bytes out; keeps back what is unfinished
//!   frames.rs   frame boundaries; which bytes belong to a header block
//!     fold.rs     a block in many frames, written in few
//!       format.rs   heads, kinds and flags of frames
//!     hpack.rs    fields of a block; which bytes are a literal `:authority` value
//!       integer.rs  the numbers in them
//!       value.rs    the repair of one complete value
//!         huffman.rs  the code that a value may be written in
//! ```
//!
//! Each walker keeps its place between any two bytes, so that a read, a frame or a CONTINUATION may
//! end anywhere. The payloads of DATA and of all other frames are counted, never looked at.
//!
//! # Invariants
//!
//! - As many bytes leave as came in. Only bytes of a literal `:authority` value differ, and the heads
//!   of frames where a block came in more than it needs; no part of a block is left out.
//! - A value that h2 accepts is not touched. One that h2 would refuse is accepted after the repair,
//!   but for the limits.
//! - Bytes are kept back only where the end of a frame's head, of an `:authority` value, or of a
//!   header block in several frames has not arrived; of the last, at most `MAX_BLOCK`, after which
//!   reads fail. h2 acts on whole frames and blocks, so this delays nobody.
//! - What is not HTTP/2 passes untouched from there on, and h2 refuses it.
//!
//! # Limits
//!
//! h2 refuses these as it would without the repair; the stream ends, the connection lives:
//! - an empty value: there is no byte to change;
//! - a value over `MAX_VALUE` bytes, longer than the path of any Unix socket;
//! - a Huffman-coded value of more than 13 bits a byte on average (a path mostly of non-ASCII
//!   bytes, from an encoder that lengthens it by two thirds): no text of legal bytes is both as
//!   long and coded as long.

mod fold;
mod format;
mod frames;
mod hpack;
mod huffman;
mod integer;
mod io;
#[cfg(test)]
mod tests;
mod value;

pub use format::MAX_FRAME;
pub use frames::{Excess, MAX_BLOCK, Walked};
pub use io::AuthorityRepair;

/// The bytes are not HTTP/2 as far as a walker can tell. The reason does not matter: h2 reports it.
#[derive(Debug)]
struct Malformed;
