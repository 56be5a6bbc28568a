//! Frame boundaries of what a client sends (RFC 9113): which bytes belong to a header block.
//!
//! ```text
//! Preface -> Head -> Payload -> Head -> ...        anything malformed -> Blind, for good
//! ```

use super::Malformed;
use super::fold::fold;
use super::format::{
    CONTINUATION, DATA, END_HEADERS, HEAD_LEN, HEADERS, MAX_FRAME, PADDED, PRIORITY, PUSH_PROMISE,
};
use super::hpack::Block;

/// The largest header block in several frames, in bytes with their heads: what is to be refused in
/// words, 1 MiB of metadata, and what stands beside it. It has few enough frames for h2.
pub const MAX_BLOCK: usize = (1024 + 64) * 1024;
/// A block may have this number of CONTINUATIONs, and one more for each [`PIECE`] bytes of it:
/// clients fill their frames.
const FEW: usize = 32;
const PIECE: usize = 8 * 1024;
/// Larger blocks than this are worth a turn of their own: decoded, they may take a hundred times
/// their size, for a moment.
const LARGE: usize = 2 * 1024;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Walks a connection's inbound bytes and has literal `:authority` values in them repaired.
#[derive(Debug)]
pub struct Frames {
    step: Step,
    block: Block,
    walked: Walked,
    /// The header block that is not complete: only its CONTINUATION may follow.
    unfinished: Option<Unfinished>,
    /// What is no header block any more.
    excess: Option<Excess>,
}

/// A header block in several frames. All of it is kept back until its end.
#[derive(Debug, Clone, Copy)]
struct Unfinished {
    stream: u32,
    /// Where it begins in the bytes.
    from: usize,
    /// Its CONTINUATIONs, and its size in bytes, with their heads.
    continuations: usize,
    size: usize,
}

/// A header block that no client needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// It is too long.
    #[error("a header block of more than {MAX_BLOCK} bytes")]
    Long,
    /// It is in many small pieces.
    #[error("a header block in many small CONTINUATION frames")]
    Pieces,
}

/// What was walked. PUSH_PROMISE, GOAWAY and frames of unknown kinds end a connection
/// or mean nothing; they count as empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walked {
    /// Header blocks that began.
    pub requests: u32,
    /// Frames that carry neither headers nor data.
    pub empty: u32,
    /// A large header block ended.
    pub large: bool,
}

#[derive(Debug)]
enum Step {
    Preface { seen: usize },
    Head { seen: usize, head: [u8; HEAD_LEN] },
    Payload(Payload),
    Blind,
}

/// What is left of a payload. Its parts come in this order; most frames are one part, `skip`.
#[derive(Debug, Default)]
struct Payload {
    pad_length: bool,
    skip: usize,
    fragment: usize,
    padding: usize,
    /// The header block ends with this frame, and has so many bytes.
    ends_block: Option<usize>,
}

impl Default for Frames {
    fn default() -> Self {
        let step = Step::Preface { seen: 0 };
        let (block, walked) = Default::default();
        Self { step, block, walked, unfinished: None, excess: None }
    }
}

impl Frames {
    /// Walks `bytes[from..]`, the bytes before having been walked and kept back. Returns the
    /// number of bytes, from the first, that are settled. The rest begin with an unfinished head of
    /// a frame, header block or value; the caller passes them again, with more behind them.
    ///
    /// # Errors
    /// A header block does not end, now and for good.
    pub fn walk(&mut self, bytes: &mut [u8], from: usize) -> Result<usize, Excess> {
        if self.advance(bytes, from).is_err() {
            self.give_up();
        }
        if let Some(excess) = self.excess {
            return Err(excess);
        }
        let settled = self.kept_from(bytes.len());
        self.block.rebase(settled);
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.from -= settled;
        }
        Ok(settled)
    }

    /// From where on `len` bytes are kept back.
    fn kept_from(&self, len: usize) -> usize {
        match (&self.unfinished, &self.step) {
            (Some(unfinished), _) => unfinished.from,
            (None, Step::Head { seen, .. }) => len - seen,
            (None, _) => self.block.held_from().unwrap_or(len),
        }
    }

    /// What was walked since the last time that this was asked.
    pub fn walked(&mut self) -> Walked {
        std::mem::take(&mut self.walked)
    }

    /// Whether a header block is kept back.
    pub fn keeps_block(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Leaves what is unfinished, and what follows, as it comes.
    pub fn give_up(&mut self) {
        self.step = Step::Blind;
        self.block.give_up();
        self.unfinished = None;
    }

    fn advance(&mut self, bytes: &mut [u8], mut at: usize) -> Result<(), Malformed> {
        while at < bytes.len() {
            let left = bytes.len() - at;
            at += match &mut self.step {
                Step::Blind => left,
                Step::Preface { seen } => {
                    let part = left.min(PREFACE.len() - *seen);
                    if bytes[at..at + part] != PREFACE[*seen..*seen + part] {
                        return Err(Malformed);
                    }
                    *seen += part;
                    if *seen == PREFACE.len() {
                        self.step = Step::HEAD;
                    }
                    part
                }
                Step::Head { seen, head } => {
                    let part = left.min(HEAD_LEN - *seen);
                    head[*seen..*seen + part].copy_from_slice(&bytes[at..at + part]);
                    *seen += part;
                    if *seen == HEAD_LEN {
                        let head = *head;
                        self.step = Step::Payload(self.payload(head, at + part)?);
                    }
                    part
                }
                Step::Payload(payload) => payload.advance(&mut self.block, bytes, at)?,
            };
            if let Step::Payload(payload) = &self.step
                && payload.is_over()
            {
                if let Some(size) = payload.ends_block {
                    self.block.end()?;
                    self.walked.large |= size > LARGE;
                    if let Some(unfinished) = self.unfinished.take() {
                        fold(&mut bytes[unfinished.from..at]);
                    }
                }
                self.step = Step::HEAD;
            }
        }
        Ok(())
    }

    /// What follows a head that ends at `end`.
    fn payload(&mut self, head: [u8; HEAD_LEN], end: usize) -> Result<Payload, Malformed> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        if self.unfinished.is_some() != (kind == CONTINUATION) {
            return Err(Malformed);
        }
        match kind {
            HEADERS => self.walked.requests += 1,
            DATA | CONTINUATION if len > 0 => {}
            _ => self.walked.empty += 1,
        }
        let mut payload = Payload::default();
        let ends_block = flags & END_HEADERS != 0;
        match kind {
            HEADERS => {
                payload.pad_length = flags & PADDED != 0;
                payload.skip = if flags & PRIORITY != 0 { 5 } else { 0 };
                let before = usize::from(payload.pad_length) + payload.skip;
                payload.fragment = len.checked_sub(before).ok_or(Malformed)?;
                payload.ends_block = ends_block.then_some(len);
                if !ends_block {
                    let from = end - HEAD_LEN;
                    let begun = Unfinished { stream, from, continuations: 0, size: 0 };
                    self.unfinished = Some(begun);
                    self.grow(len)?;
                }
            }
            CONTINUATION => {
                payload.fragment = len;
                if self.unfinished.is_none_or(|unfinished| unfinished.stream != stream) {
                    return Err(Malformed);
                }
                let size = self.grow(len)?;
                payload.ends_block = ends_block.then_some(size);
            }
            // A client must not send it, and h2 closes the connection over it.
            PUSH_PROMISE => return Err(Malformed),
            _ => payload.skip = len,
        }
        Ok(payload)
    }

    /// Counts a frame of the unfinished block. Returns the size of the block so far.
    fn grow(&mut self, len: usize) -> Result<usize, Malformed> {
        let unfinished = self.unfinished.as_mut().ok_or(Malformed)?;
        if unfinished.size > 0 {
            unfinished.continuations += 1;
        }
        if unfinished.continuations > FEW + unfinished.size / PIECE {
            self.excess = Some(Excess::Pieces);
        }
        unfinished.size += HEAD_LEN + len;
        if unfinished.size > MAX_BLOCK {
            self.excess = Some(Excess::Long);
        }
        // h2 refuses a frame that is larger than announced.
        match self.excess.is_some() || len > MAX_FRAME {
            true => Err(Malformed),
            false => Ok(unfinished.size),
        }
    }
}

impl Step {
    const HEAD: Self = Self::Head { seen: 0, head: [0; HEAD_LEN] };
}

impl Payload {
    fn is_over(&self) -> bool {
        !self.pad_length && self.skip + self.fragment + self.padding == 0
    }

    /// Walks the next part, as far as it has arrived. Returns its length in bytes.
    fn advance(
        &mut self,
        block: &mut Block,
        bytes: &mut [u8],
        at: usize,
    ) -> Result<usize, Malformed> {
        if self.pad_length {
            self.pad_length = false;
            self.padding = bytes[at].into();
            self.fragment = self.fragment.checked_sub(self.padding).ok_or(Malformed)?;
            return Ok(1);
        }
        let in_fragment = self.skip == 0 && self.fragment > 0;
        let part = [&mut self.skip, &mut self.fragment, &mut self.padding]
            .into_iter()
            .find(|part| **part > 0);
        let Some(part) = part else { return Ok(0) };
        let len = (*part).min(bytes.len() - at);
        *part -= len;
        if in_fragment {
            block.walk(bytes, at..at + len)?;
        }
        Ok(len)
    }
}
