//! HPACK's Huffman code (RFC 7541, appendix B).
//!
//! The code is canonical: codes of one length are consecutive numbers in the order of their
//! symbols, and go on, one bit longer, where the shorter ones end. So the table of lengths is the
//! whole definition.

/// The length of each byte's code in bits.
#[rustfmt::skip]
const BITS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

const LONGEST: usize = 30;

/// The code, worked out from `BITS`.
struct Code {
    /// Of each byte.
    codes: [u32; 256],
    /// All bytes in the order of their codes.
    order: [u8; 256],
    /// For each length: the first code, its place in `order`, and how many there are.
    lengths: [(u32, usize, usize); LONGEST + 1],
}

const CODE: Code = {
    let mut code = Code { codes: [0; 256], order: [0; 256], lengths: [(0, 0, 0); LONGEST + 1] };
    let (mut next, mut place, mut bits) = (0, 0, 1);
    while bits <= LONGEST {
        next <<= 1;
        let first = (next, place);
        let mut byte = 0;
        while byte < 256 {
            if BITS[byte] as usize == bits {
                code.codes[byte] = next;
                code.order[place] = byte as u8;
                next += 1;
                place += 1;
            }
            byte += 1;
        }
        code.lengths[bits] = (first.0, first.1, place - first.1);
        bits += 1;
    }
    code
};

/// How many bits the byte's code has.
pub fn bits(byte: u8) -> usize {
    BITS[usize::from(byte)].into()
}

/// The text, with ones up to the end of the last byte.
pub fn encode(text: &[u8]) -> Vec<u8> {
    static CODES: [u32; 256] = CODE.codes;
    let mut coded = Vec::with_capacity(text.len());
    let (mut pending, mut held) = (0u64, 0);
    for byte in text {
        pending = pending << bits(*byte) | u64::from(CODES[usize::from(*byte)]);
        held += bits(*byte);
        while held >= 8 {
            held -= 8;
            coded.push((pending >> held) as u8);
        }
    }
    if held > 0 {
        coded.push((pending << (8 - held)) as u8 | 0xff >> held);
    }
    coded
}

/// `None` for what is no code, or has a padding that is too long or not all ones.
pub fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    static ORDER: [u8; 256] = CODE.order;
    static LENGTHS: [(u32, usize, usize); LONGEST + 1] = CODE.lengths;
    let mut text = Vec::with_capacity(coded.len() * 2);
    let (mut code, mut len) = (0u32, 0);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1)) {
        code = code << 1 | u32::from(bit);
        len += 1;
        let (first, place, count) = *LENGTHS.get(len)?;
        let nth = code.wrapping_sub(first) as usize;
        if nth < count {
            text.push(ORDER[place + nth]);
            (code, len) = (0, 0);
        }
    }
    (len < 8 && code + 1 == 1 << len).then_some(text)
}
