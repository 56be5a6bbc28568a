//! The fields of a header block (RFC 7541): which bytes are a literal `:authority` value.
//!
//! A name can be written out, or be a reference to the static table or to an entry of the dynamic
//! table. The last needs no copy of that table: entries are numbered from the newest, and every
//! insertion moves all of them by one, so one bit for each insertion, "was its name `:authority`",
//! answers it. Evictions do not matter: a client refers only to entries that it still has; and an
//! entry too large to be stored empties the table, so that none behind it is referred to either.

use std::ops::Range;

use super::Malformed;
use super::integer::Integer;
use super::value;

/// The longest value that is repaired, in bytes as sent. A socket's path has at most 107 bytes
/// (`sun_path`): 321 when each is percent-encoded, 402 in the longest of HPACK's Huffman codes.
const MAX_VALUE: usize = 1024;

const STATIC_AUTHORITY: u32 = 1;
const FIRST_DYNAMIC: u32 = 62;
const NAME: &[u8] = b":authority";
/// `NAME` in Huffman code; there is no second way to code it.
const NAME_HUFFMAN: &[u8] = &[0xb8, 0x3b, 0x53, 0x39, 0xec, 0x32, 0x7d, 0x7f];

/// Walks header blocks, one after the other, of one connection.
#[derive(Debug, Default)]
pub struct Block {
    step: Step,
    integer: Integer,
    huffman: bool,
    /// Of the literal being walked: it goes into the table; its name is `:authority`.
    indexing: bool,
    authority: bool,
    /// Bit n: the name of the dynamic entry `FIRST_DYNAMIC + n` is `:authority`. h2's table has
    /// 4096 bytes, and an entry counts 32 and its text, so that there are never more than 128.
    authorities: u128,
    /// Where the `:authority` value being walked lies in the bytes, as far as it has come: a piece
    /// for each frame.
    value: Option<Vec<Range<usize>>>,
}

#[derive(Debug, Default)]
enum Step {
    /// Between fields.
    #[default]
    Field,
    /// Within an integer.
    Integer(Number),
    /// Before the length of a string.
    Length(Text),
    /// Within a string, with this number of bytes left.
    Text(Text, usize),
}

#[derive(Clone, Copy, Debug)]
enum Number {
    /// The index of a whole entry, or a new size of the table: the field ends with it.
    Plain,
    NameIndex,
    Length(Text),
}

#[derive(Clone, Copy, Debug)]
enum Text {
    Name,
    Value,
}

impl Block {
    /// Walks the part of a block that is `bytes[part]`, and repairs each value that ends in it.
    pub fn walk(&mut self, bytes: &mut [u8], mut part: Range<usize>) -> Result<(), Malformed> {
        while !part.is_empty() {
            let byte = bytes[part.start];
            let mut end = part.start + 1;
            self.step = match self.step {
                Step::Field => self.field(byte),
                Step::Integer(number) => {
                    let value = self.integer.more(byte)?;
                    self.number(number, value)
                }
                Step::Length(text) => {
                    self.huffman = byte & 0x80 != 0;
                    let value = self.integer.start(byte, 7);
                    self.number(Number::Length(text), value)
                }
                Step::Text(text, left) => {
                    end = part.end.min(part.start + left);
                    self.text(text, left, bytes, part.start..end)
                }
            };
            part.start = end;
        }
        Ok(())
    }

    /// The block is complete.
    pub fn end(&mut self) -> Result<(), Malformed> {
        matches!(self.step, Step::Field).then_some(()).ok_or(Malformed)
    }

    /// Where the unfinished `:authority` value begins, if there is one.
    pub fn held_from(&self) -> Option<usize> {
        Some(self.value.as_ref()?.first()?.start)
    }

    /// The bytes are moved `by` towards their front.
    pub fn rebase(&mut self, by: usize) {
        for piece in self.value.iter_mut().flatten() {
            *piece = piece.start - by..piece.end - by;
        }
    }

    /// Leaves the unfinished value as it is.
    pub fn give_up(&mut self) {
        self.value = None;
    }

    fn field(&mut self, byte: u8) -> Step {
        // The leading zeros decide what the field is; the rest of the byte begins its number.
        let (number, bits) = match byte.leading_zeros() {
            0 => (Number::Plain, 7),
            1 => (Number::NameIndex, 6),
            2 => (Number::Plain, 5),
            _ => (Number::NameIndex, 4),
        };
        self.indexing = byte.leading_zeros() == 1;
        let value = self.integer.start(byte, bits);
        self.number(number, value)
    }

    fn number(&mut self, number: Number, value: Option<u32>) -> Step {
        let Some(value) = value else { return Step::Integer(number) };
        let len = value as usize;
        match number {
            Number::Plain => Step::Field,
            Number::NameIndex if value == 0 => Step::Length(Text::Name),
            Number::NameIndex => {
                self.authority = self.names_authority(value);
                Step::Length(Text::Value)
            }
            Number::Length(Text::Name) => {
                self.authority = len == self.name().len();
                if len == 0 { Step::Length(Text::Value) } else { Step::Text(Text::Name, len) }
            }
            Number::Length(Text::Value) if len == 0 => self.end_literal(),
            Number::Length(Text::Value) => {
                self.value = (self.authority && len <= MAX_VALUE).then(Vec::new);
                Step::Text(Text::Value, len)
            }
        }
    }

    fn text(&mut self, text: Text, left: usize, bytes: &mut [u8], part: Range<usize>) -> Step {
        let after = left - part.len();
        match text {
            Text::Name => {
                let name = self.name();
                self.authority =
                    self.authority && name[name.len() - left..name.len() - after] == bytes[part];
            }
            Text::Value => {
                if let Some(pieces) = &mut self.value {
                    match pieces.last_mut().filter(|last| last.end == part.start) {
                        Some(last) => last.end = part.end,
                        None => pieces.push(part),
                    }
                }
            }
        }
        match text {
            _ if after > 0 => Step::Text(text, after),
            Text::Name => Step::Length(Text::Value),
            Text::Value => {
                if let Some(pieces) = self.value.take() {
                    value::repair_pieces(bytes, &pieces, self.huffman);
                }
                self.end_literal()
            }
        }
    }

    fn end_literal(&mut self) -> Step {
        if self.indexing {
            self.authorities = self.authorities << 1 | u128::from(self.authority);
        }
        Step::Field
    }

    fn names_authority(&self, index: u32) -> bool {
        match index.checked_sub(FIRST_DYNAMIC) {
            None => index == STATIC_AUTHORITY,
            Some(entry) => {
                self.authorities.checked_shr(entry).is_some_and(|newest| newest & 1 == 1)
            }
        }
    }

    /// The bytes of `:authority` where a name is written out.
    fn name(&self) -> &'static [u8] {
        if self.huffman { NAME_HUFFMAN } else { NAME }
    }
}
