//! Header blocks in few frames. Most clients cut a block into frames of 16 KiB; h2 takes as many
//! frames of one as it needs with the largest frames that it has announced.
//!
//! ```text
//! HEADERS 16K, CONTINUATION 16K, ... 16K        as it comes
//! HEADERS 256K, CONTINUATION 256K, ..., filler  folded
//! ```

use std::ops::Range;

use super::format::{CONTINUATION, END_HEADERS, HEAD_LEN, HEADERS, MAX_FRAME, PADDED};

/// A kind that no standard uses: whoever gets such a frame ignores it (RFC 9113, section 4.1).
const FILLER: u8 = 0x0b;

/// Writes a complete block anew, if that takes fewer frames. `frames` are a HEADERS and its
/// CONTINUATIONs, none larger than [`MAX_FRAME`]; as many bytes come out.
pub fn fold(frames: &mut [u8]) {
    let (mut block, mut at, mut count) = (Vec::with_capacity(frames.len()), 0, 0);
    while at < frames.len() {
        let (fragment, next) = fragment(frames, at);
        block.extend_from_slice(&frames[fragment]);
        (at, count) = (next, count + 1);
    }
    let folded = block.len().div_ceil(MAX_FRAME).max(1);
    if folded >= count {
        return;
    }
    let flags = frames[4] & !(PADDED | END_HEADERS);
    let stream = [frames[5], frames[6], frames[7], frames[8]];
    let mut at = 0;
    for nth in 0..folded {
        let part = &block[nth * MAX_FRAME..block.len().min((nth + 1) * MAX_FRAME)];
        let (kind, flags) = if nth == 0 { (HEADERS, flags) } else { (CONTINUATION, 0) };
        let flags = if nth + 1 == folded { flags | END_HEADERS } else { flags };
        at = put_head(frames, at, part.len(), [kind, flags], stream);
        frames[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    // Each frame fewer leaves the length of its head.
    let rest = frames.len() - at - HEAD_LEN;
    put_head(frames, at, rest, [FILLER, 0], [0; 4]);
}

/// Where the part of the block lies that the frame at `at` has, its priority included, and where
/// the next frame begins.
fn fragment(frames: &[u8], at: usize) -> (Range<usize>, usize) {
    let len = u32::from_be_bytes([0, frames[at], frames[at + 1], frames[at + 2]]) as usize;
    let (kind, flags) = (frames[at + 3], frames[at + 4]);
    let (start, end) = (at + HEAD_LEN, at + HEAD_LEN + len);
    match kind == HEADERS && flags & PADDED != 0 {
        true => (start + 1..end - usize::from(frames[start]), end),
        false => (start..end, end),
    }
}

/// Returns where the payload begins.
fn put_head(frames: &mut [u8], at: usize, len: usize, kind: [u8; 2], stream: [u8; 4]) -> usize {
    let [_, l0, l1, l2] = (len as u32).to_be_bytes();
    let head = [&[l0, l1, l2][..], &kind, &stream].concat();
    frames[at..at + HEAD_LEN].copy_from_slice(&head);
    at + HEAD_LEN
}
