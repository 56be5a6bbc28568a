//! Text of others, made fit for a log or a terminal: the one place where it is
//! escaped. Names, errors and the output of workers may hold anything; a terminal
//! obeys some of it, and a reader is misled by some.
//!
//! What is printable stays as it is, in every script. Control characters, and the
//! marks that turn the direction of a text, are shown as escapes. JSON is never
//! escaped here: it has a form of its own for them.

use std::{borrow::Cow, fmt::Write as _};

/// A number of things, whose name is in the plural unless there is one of them.
pub fn count(number: impl Into<u64>, thing: &str) -> String {
    let number = number.into();
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The text with its lines as they are.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_hazard(c) && !matches!(c, '\n' | '\t'))
}

/// The text in one line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hazard)
}

/// The text as a record of a log: whatever it holds, only its first line begins
/// like one.
pub fn record(text: &str) -> Cow<'_, str> {
    match lines(text) {
        text if text.contains('\n') => Cow::Owned(text.replace('\n', "\n    ")),
        text => text,
    }
}

/// Whether a terminal obeys the character, or a reader is misled by it.
pub fn is_hazard(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match c {
            c if !is_bad(c) => escaped.write_char(c),
            '\n' | '\r' | '\t' => write!(escaped, "{}", c.escape_default()),
            c if c.is_ascii() => write!(escaped, "\\x{:02x}", c as u32),
            c => write!(escaped, "{}", c.escape_unicode()),
        };
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_of_any_script_stays_and_is_not_copied() {
        for text in ["plain", "naïve – 東京 – שלום – 👩‍👩‍👧", ""] {
            assert!(matches!(one_line(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(lines("two\n\tlines"), "two\n\tlines");
    }

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        assert_eq!(
            one_line("\x1b[2J\x1b]0;title\x07\r\n\0\u{9b}31m"),
            "\\x1b[2J\\x1b]0;title\\x07\\r\\n\\x00\\u{9b}31m"
        );
        assert_eq!(lines("a\r\x08b\x7f"), "a\\r\\x08b\\x7f");
        assert_eq!(one_line("user\u{202e}nimda\u{2069}"), "user\\u{202e}nimda\\u{2069}");
    }

    #[test]
    fn a_record_cannot_forge_another_one() {
        let forged = "no such action\n2026-01-01T00:00:00Z  INFO all is well";
        assert!(record(forged).lines().skip(1).all(|line| line.starts_with("    ")));
        assert!(matches!(record("one line"), Cow::Borrowed("one line")));
    }
}
