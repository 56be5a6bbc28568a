//! Small changes to an input.

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// The longest part that is removed, moved or taken from another input, in bytes.
const LONGEST_PART: usize = 64;

/// Numbers at the edges of what lengths and counts can be.
const NUMBERS: [u32; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x3fff,
    0x4000,
    0xffff,
    0x0010_0001,
    0x7fff_ffff,
    0x8000_0000,
    u32::MAX,
];

/// One change.
#[derive(Clone, Debug)]
pub enum Mutation {
    /// Inverts one bit of a byte.
    Flip(Index, u32),
    /// Writes bytes over those that are there.
    Overwrite(Index, Vec<u8>),
    /// Puts bytes between those that are there.
    Insert(Index, Vec<u8>),
    /// Takes bytes away.
    Remove(Index, usize),
    /// Puts a part of the input, from the first place, a second time at the other place.
    Repeat(Index, usize, Index),
    /// Ends the input early.
    Cut(Index),
}

/// Any mutation. What it inserts is a word, a number, a part of a kept input, or random bytes.
pub fn mutation(
    words: &'static [&'static [u8]],
    kept: &[Vec<u8>],
) -> impl Strategy<Value = Mutation> + use<> {
    let part = (select(kept.to_vec()), any::<Index>(), 1..LONGEST_PART);
    let part = part.prop_map(|(input, from, len)| {
        let from = from.index(input.len() + 1);
        input[from..input.len().min(from + len)].to_vec()
    });
    let bytes = prop_oneof![
        3 => select(words).prop_map(<[u8]>::to_vec),
        2 => number(),
        2 => part,
        2 => vec(any::<u8>(), 1..5),
    ];
    let bytes = bytes.boxed();
    prop_oneof![
        3 => (any::<Index>(), 0..8u32).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        3 => (any::<Index>(), bytes.clone()).prop_map(|(at, bytes)| Mutation::Overwrite(at, bytes)),
        4 => (any::<Index>(), bytes).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        2 => (any::<Index>(), 1..LONGEST_PART).prop_map(|(at, len)| Mutation::Remove(at, len)),
        2 => (any::<Index>(), 1..LONGEST_PART, any::<Index>())
            .prop_map(|(from, len, to)| Mutation::Repeat(from, len, to)),
        1 => any::<Index>().prop_map(Mutation::Cut),
    ]
}

/// An edge number in big-endian order of 2 to 4 bytes, as a varint, or in digits.
fn number() -> impl Strategy<Value = Vec<u8>> {
    (select(&NUMBERS), 0..4usize).prop_map(|(number, form)| match form {
        0 => varint(number),
        1 => number.to_string().into_bytes(),
        skipped => number.to_be_bytes()[skipped - 2..].to_vec(),
    })
}

/// The number in groups of seven bits, the lowest first, as protobuf and HPACK write it.
fn varint(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

impl Mutation {
    /// Changes `input`.
    pub fn apply(&self, input: &mut Vec<u8>) {
        let place = |at: &Index| at.index(input.len() + 1);
        let part = |at: usize, len: usize| at..input.len().min(at + len);
        match self {
            Self::Flip(at, bit) => {
                let at = place(at);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
            Self::Overwrite(at, bytes) => {
                let part = part(place(at), bytes.len());
                input.splice(part, bytes.iter().copied());
            }
            Self::Insert(at, bytes) => {
                let at = place(at);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at, len) => {
                let part = part(place(at), *len);
                input.drain(part);
            }
            Self::Repeat(from, len, to) => {
                let (to, part) = (place(to), input[part(place(from), *len)].to_vec());
                input.splice(to..to, part);
            }
            Self::Cut(at) => {
                let at = place(at);
                input.truncate(at);
            }
        }
    }
}
