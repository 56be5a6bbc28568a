//! Integers with a prefix (RFC 7541, section 5.1), byte by byte.

use super::Malformed;

/// An integer that is being read.
#[derive(Debug, Default)]
pub struct Integer {
    value: u32,
    shift: u32,
}

impl Integer {
    /// The largest number of bits that h2 takes behind the prefix. Fewer than 32, so that the sum cannot
    /// overflow.
    const MAX_BITS: u32 = 28;

    /// Begins with the low `bits` of the first byte. Returns them as the value unless all are set.
    pub fn start(&mut self, byte: u8, bits: u32) -> Option<u32> {
        let mask = (1 << bits) - 1;
        *self = Self { value: u32::from(byte) & mask, shift: 0 };
        (self.value < mask).then_some(self.value)
    }

    /// Continues with one of the bytes behind the first. Returns the value if it was the last one.
    pub fn more(&mut self, byte: u8) -> Result<Option<u32>, Malformed> {
        if self.shift == Self::MAX_BITS {
            return Err(Malformed);
        }
        self.value += u32::from(byte & 0x7f) << self.shift;
        self.shift += 7;
        Ok((byte & 0x80 == 0).then_some(self.value))
    }
}
