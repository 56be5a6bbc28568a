//! The frame around a message.

use bytes::{BufMut as _, Bytes, BytesMut};

/// The flag and the length, in bytes.
pub const HEAD: usize = 5;
/// Messages of up to this size in bytes are copied.
pub const SMALL: usize = 4096;

/// Appends a message to `buffer`. Returns the message itself if it is too large
/// to be copied: then it has to follow `buffer`.
#[must_use]
pub fn put(buffer: &mut BytesMut, message: Bytes) -> Option<Bytes> {
    buffer.put_u8(0);
    buffer.put_u32(message.len() as u32);
    if message.len() > SMALL {
        return Some(message);
    }
    buffer.put(message);
    None
}
