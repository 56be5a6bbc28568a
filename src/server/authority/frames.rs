//! Frame boundaries of what a client sends (RFC 9113): which bytes belong to a header block.
//!
//! ```text
//! Preface -> Head -> Payload -> Head -> ...        anything malformed -> Blind, for good
//! ```

use super::Malformed;
use super::hpack::Block;

/// The largest number of bytes that are kept back for the end of one value: the value, and the
/// heads of frames that cut it.
pub const MAX_HELD: usize = 4096;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_LEN: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;

const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Walks a connection's inbound bytes and has literal `:authority` values in them repaired.
#[derive(Debug)]
pub struct Frames {
    step: Step,
    block: Block,
    walked: Walked,
    /// The stream whose header block is not complete: only its CONTINUATION may follow.
    unfinished: Option<u32>,
}

/// What was walked. PUSH_PROMISE, GOAWAY and frames of unknown kinds end a connection
/// or mean nothing; they count as empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walked {
    /// Header blocks that began.
    pub requests: u32,
    /// Frames that carry neither headers nor data.
    pub empty: u32,
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
    /// The header block ends with this frame.
    ends_block: bool,
}

impl Default for Frames {
    fn default() -> Self {
        let step = Step::Preface { seen: 0 };
        Self { step, block: Block::default(), walked: Walked::default(), unfinished: None }
    }
}

impl Frames {
    /// Walks `bytes[from..]`, the bytes before having been walked and kept back. Returns the
    /// number of bytes, from the first, that are settled. The rest begin with an unfinished value;
    /// the caller passes them again, with more behind them.
    pub fn walk(&mut self, bytes: &mut [u8], from: usize) -> usize {
        if self.advance(bytes, from).is_err() {
            self.step = Step::Blind;
            self.block.give_up();
        }
        let settled = self.block.held_from().unwrap_or(bytes.len());
        if bytes.len() - settled > MAX_HELD {
            self.block.give_up();
            return bytes.len();
        }
        self.block.rebase(settled);
        settled
    }

    /// What was walked since the last time that this was asked.
    pub fn walked(&mut self) -> Walked {
        std::mem::take(&mut self.walked)
    }

    /// Leaves an unfinished value as it came.
    pub fn give_up(&mut self) {
        self.block.give_up();
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
                        self.step = Step::Payload(self.payload(head)?);
                    }
                    part
                }
                Step::Payload(payload) => payload.advance(&mut self.block, bytes, at)?,
            };
            if let Step::Payload(payload) = &self.step
                && payload.is_over()
            {
                if payload.ends_block {
                    self.block.end()?;
                }
                self.step = Step::HEAD;
            }
        }
        Ok(())
    }

    fn payload(&mut self, head: [u8; HEAD_LEN]) -> Result<Payload, Malformed> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        let expected = self.unfinished.take();
        if expected.is_some() != (kind == CONTINUATION)
            || expected.is_some_and(|expected| expected != stream)
        {
            return Err(Malformed);
        }
        match kind {
            HEADERS => self.walked.requests += 1,
            DATA | CONTINUATION if len > 0 => {}
            _ => self.walked.empty += 1,
        }
        let mut payload = Payload::default();
        match kind {
            HEADERS => {
                payload.pad_length = flags & PADDED != 0;
                payload.skip = if flags & PRIORITY != 0 { 5 } else { 0 };
                let before = usize::from(payload.pad_length) + payload.skip;
                payload.fragment = len.checked_sub(before).ok_or(Malformed)?;
            }
            CONTINUATION => payload.fragment = len,
            // A client must not send it, and h2 closes the connection over it.
            PUSH_PROMISE => return Err(Malformed),
            _ => {
                payload.skip = len;
                return Ok(payload);
            }
        }
        payload.ends_block = flags & END_HEADERS != 0;
        if !payload.ends_block {
            self.unfinished = Some(stream);
        }
        Ok(payload)
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
