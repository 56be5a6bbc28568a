//! How much of an error fits into the trailers that it travels in.

use std::collections::HashMap;

/// The trailers of an error in bytes. Stock clients allow 8 KiB in all: above,
/// those of grpc-java see no error of ours at all, and those of grpc-core only
/// sometimes.
const MAX_TRAILERS: usize = 7680;
const MAX_MESSAGE: usize = 1024;
const MAX_TRACEBACK: usize = 2560;
/// What surrounds an entry of a map or a list in bytes, and all of them: the
/// names of the trailers, of the types and of the domain.
const ENTRY: usize = 8;
const FRAME: usize = 384;

/// A message, cut to what every error has room for.
pub fn message(text: &str) -> String {
    head(text, MAX_MESSAGE)
}

/// The beginning of a text, in at most `limit` bytes.
pub fn head(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// The last lines of a traceback: as much as the message and the facts beside it
/// leave room for.
pub fn traceback(text: &str, message: &str, facts: &HashMap<String, String>) -> Vec<String> {
    tail(text, room_beside(message, facts).min(MAX_TRACEBACK))
}

/// The number of bytes of the trailers that a message and facts leave. The
/// message is there twice: percent-encoded, and in base64 with all else.
fn room_beside(message: &str, facts: &HashMap<String, String>) -> usize {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:,;/()'".contains(byte);
    let encoded: usize = message.bytes().map(|byte| if is_plain(&byte) { 1 } else { 3 }).sum();
    let facts: usize = facts.iter().map(|(key, value)| key.len() + value.len() + ENTRY).sum();
    (MAX_TRAILERS.saturating_sub(encoded) / 4 * 3).saturating_sub(message.len() + facts + FRAME)
}

/// The last lines that fit into `limit` bytes; of a line that is longer, its end.
fn tail(text: &str, limit: usize) -> Vec<String> {
    let mut room = limit;
    let fits = |line: &&str| {
        let left = room.checked_sub(line.len() + ENTRY);
        room = left.unwrap_or(room);
        left.is_some()
    };
    let mut lines: Vec<String> = text.lines().rev().take_while(fits).map(str::to_owned).collect();
    if lines.len() < text.lines().count() {
        if let (true, Some(last)) = (lines.is_empty(), text.lines().next_back()) {
            let start = last.len() - last.len().min(limit);
            lines.push(last[last.ceil_char_boundary(start)..].to_owned());
        }
        lines.push("… the traceback is longer".to_owned());
    }
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(head("short", 5), "short");
        assert_eq!(head("ééééé", 9), "ééé…");
    }

    #[test]
    fn the_last_lines_are_kept_and_of_a_long_one_its_end() {
        assert_eq!(tail("one\ntwo\nthree", 100), ["one", "two", "three"]);
        assert_eq!(tail("one\ntwo\nthree", 25), ["… the traceback is longer", "two", "three"]);
        assert_eq!(tail("a long line", 4), ["… the traceback is longer", "line"]);
    }
}
