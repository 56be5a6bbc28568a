//! The format of frames (RFC 9113, section 4.1).

/// The largest frame in bytes that is announced, about what a Unix socket takes at once: with
/// HTTP/2's default of 16 KiB, a payload of 1 MiB takes 64 writes and reads.
pub const MAX_FRAME: usize = 256 * 1024;
/// The length of a frame's head: its length, kind, flags and stream.
pub const HEAD_LEN: usize = 9;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PUSH_PROMISE: u8 = 5;
pub const CONTINUATION: u8 = 9;

pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY: u8 = 0x20;
