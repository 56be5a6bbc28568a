//! A client's bytes, made by hand: frames, fields, and strings in either code.

use super::super::huffman;

pub const HEADERS: u8 = 1;
pub const SETTINGS: u8 = 4;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY: u8 = 0x20;

/// `:method: POST`, `:scheme: http`, `:path: /`.
pub const REST_OF_REQUEST: [u8; 3] = [0x83, 0x86, 0x84];

/// What to do with the field, and how its name is given, in the first byte: RFC 7541, section 6.2.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Indexing,
    WithoutIndexing,
    NeverIndexed,
}

pub const FORMS: [Form; 3] = [Form::Indexing, Form::WithoutIndexing, Form::NeverIndexed];

impl Form {
    /// The field with the name that is at `index`.
    pub fn indexed(self, index: usize, value: &[u8]) -> Vec<u8> {
        let mut field = match self {
            Self::Indexing => integer(0x40, 6, index),
            Self::WithoutIndexing => integer(0, 4, index),
            Self::NeverIndexed => integer(0x10, 4, index),
        };
        field.extend(value);
        field
    }

    /// The field with the name written out.
    pub fn named(self, name: &[u8], value: &[u8]) -> Vec<u8> {
        self.indexed(0, &[name, value].concat())
    }
}

pub fn raw(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [integer(0, 7, text.len()), text.to_vec()].concat()
}

pub fn coded(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = huffman::encode(text.as_ref());
    [integer(0x80, 7, text.len()), text].concat()
}

fn integer(form: u8, bits: u32, value: usize) -> Vec<u8> {
    let mask = (1 << bits) - 1;
    if value < mask {
        return vec![form | value as u8];
    }
    let (mut bytes, mut rest) = (vec![form | mask as u8], value - mask);
    while rest >= 0x80 {
        bytes.push(0x80 | rest as u8);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// All that a client sends on one connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub bytes: Vec<u8>,
    last_stream: u32,
}

impl Connection {
    pub fn new() -> Self {
        let bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        Self { bytes, last_stream: 0 }.frame(SETTINGS, 0, &[])
    }

    /// A frame on the connection (SETTINGS), or on the stream that was opened last.
    pub fn frame(mut self, kind: u8, flags: u8, payload: &[u8]) -> Self {
        if kind == HEADERS {
            self.last_stream = if self.last_stream == 0 { 1 } else { self.last_stream + 2 };
        }
        let stream = if kind == SETTINGS { 0 } else { self.last_stream };
        self.bytes.extend(&(payload.len() as u32).to_be_bytes()[1..]);
        self.bytes.extend([kind, flags]);
        self.bytes.extend(stream.to_be_bytes());
        self.bytes.extend(payload);
        self
    }

    /// A request without a body.
    pub fn request(self, fields: &[u8]) -> Self {
        self.frame(HEADERS, END_HEADERS | END_STREAM, &[&REST_OF_REQUEST, fields].concat())
    }

    /// A request whose header block is cut into frames of `piece` bytes.
    pub fn request_in_pieces(mut self, fields: &[u8], piece: usize) -> Self {
        let block = [&REST_OF_REQUEST, fields].concat();
        let pieces: Vec<_> = block.chunks(piece).collect();
        for (nth, part) in pieces.iter().enumerate() {
            let kind = if nth == 0 { HEADERS } else { CONTINUATION };
            let ends_stream = if nth == 0 { END_STREAM } else { 0 };
            let ends_block = if nth == pieces.len() - 1 { END_HEADERS } else { 0 };
            self = self.frame(kind, ends_stream | ends_block, part);
        }
        self
    }
}
