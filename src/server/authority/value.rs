//! The repair of one complete `:authority` value.

use std::ops::Range;

use http::uri::Authority;

use super::huffman;

/// Stands for a byte that has no place in an authority.
const STAND_IN: u8 = b'-';

/// Stand-ins for each length that the code of a legal byte can have: 13, 11, 10, 8, 7, 6 and 5
/// bits.
const CODED_STAND_INS: &[u8] = b"~+!Xx-o";

/// The largest number of bits that may follow the last code.
const MAX_PADDING: usize = 7;

/// Repairs the value that lies in these pieces of `bytes`.
pub fn repair_pieces(bytes: &mut [u8], pieces: &[Range<usize>], huffman: bool) {
    let mut value: Vec<u8> =
        pieces.iter().flat_map(|piece| &bytes[piece.clone()]).copied().collect();
    repair(&mut value, huffman);
    let places = pieces.iter().cloned().flatten();
    for (place, byte) in places.zip(value) {
        bytes[place] = byte;
    }
}

/// Makes the value one that h2 accepts, with its length kept, both as it stands here and decoded.
///
/// Left alone are a value that h2 accepts, one that does not decode, and one that cannot be
/// repaired (see the module).
pub fn repair(value: &mut [u8], huffman: bool) {
    if huffman {
        let repaired = huffman::decode(value)
            .filter(|text| !is_accepted(text))
            .and_then(|text| coded(text, value.len()));
        if let Some(repaired) = repaired {
            value.copy_from_slice(&repaired);
        }
    } else if !is_accepted(value) {
        for byte in value.iter_mut().filter(|byte| !is_plain(**byte)) {
            *byte = STAND_IN;
        }
    }
}

/// Whether h2 accepts the value, by the parser that h2 uses.
fn is_accepted(text: &[u8]) -> bool {
    Authority::try_from(text).is_ok()
}

/// Whether the byte is legal anywhere in a host name, whatever stands around it.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// A legal text of as many bytes, coded in exactly `len` bytes; `None` where there is none.
///
/// `/` and `%` have stand-ins with codes as long as their own. Longer codes than any legal byte has
/// (`\`, `^`, UTF-8) leave bits over, which other bytes of the text take up by giving way to
/// stand-ins with longer codes.
fn coded(mut text: Vec<u8>, len: usize) -> Option<Vec<u8>> {
    for byte in text.iter_mut().filter(|byte| !is_plain(**byte)) {
        *byte = stand_in(huffman::bits(*byte))?;
    }
    let used: usize = text.iter().map(|byte| huffman::bits(*byte)).sum();
    let mut over = (8 * len).checked_sub(used)?;
    for byte in &mut text {
        if over <= MAX_PADDING {
            break;
        }
        let bits = huffman::bits(*byte);
        *byte = stand_in(bits + over)?;
        over -= huffman::bits(*byte) - bits;
    }
    (over <= MAX_PADDING).then(|| huffman::encode(&text))
}

/// The stand-in with the longest code of up to `bits`.
fn stand_in(bits: usize) -> Option<u8> {
    CODED_STAND_INS.iter().copied().find(|byte| huffman::bits(*byte) <= bits)
}
