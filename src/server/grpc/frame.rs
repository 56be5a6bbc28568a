//! The frame around a message.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

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

/// A message behind its head, copied. gRPC's own messages have the flag 0.
pub fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(HEAD + message.len());
    framed.put_u8(flag);
    framed.put_u32(message.len() as u32);
    framed.put(message);
    framed.freeze()
}

/// The length of the first message of what has come, in bytes; `None` if its head has not
/// come whole.
pub fn length(come: &[u8]) -> Option<usize> {
    let length = come.get(1..HEAD)?.try_into().ok()?;
    Some(u32::from_be_bytes(length) as usize)
}

/// Takes the first message out of what has come; `None` if it has not come whole.
pub fn split(come: &mut BytesMut) -> Option<Bytes> {
    let length = length(come)?;
    if come.len() < HEAD + length {
        return None;
    }
    come.advance(HEAD);
    Some(come.split_to(length).freeze())
}
