//! How grave a line of a worker is: it may begin with its level as sd-daemon(3) has it,
//! `<0>` to `<7>`, or as Python's `logging` begins it by default, `WARNING:`.

use tracing::Level;

/// The level of a line, and the line without the prefix of sd-daemon(3).
pub fn of(line: &str) -> (Level, &str) {
    let prefixed = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match prefixed {
        Some(("0" | "1" | "2" | "3", text)) => (Level::ERROR, text),
        Some(("4", text)) => (Level::WARN, text),
        Some(("5" | "6", text)) => (Level::INFO, text),
        Some(("7", text)) => (Level::DEBUG, text),
        _ => (of_word(line), line),
    }
}

fn of_word(line: &str) -> Level {
    match line.split_once(':') {
        Some(("CRITICAL" | "ERROR", _)) => Level::ERROR,
        Some(("WARNING", _)) => Level::WARN,
        Some(("DEBUG", _)) => Level::DEBUG,
        _ => Level::INFO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_begin_with_its_level() {
        for (line, level, text) in [
            ("<3>disk full", Level::ERROR, "disk full"),
            ("<4> deprecated", Level::WARN, " deprecated"),
            ("<6>loaded", Level::INFO, "loaded"),
            ("<7>", Level::DEBUG, ""),
            ("<8>8", Level::INFO, "<8>8"),
            ("<p>4", Level::INFO, "<p>4"),
            ("4> plain", Level::INFO, "4> plain"),
            ("WARNING:root:low", Level::WARN, "WARNING:root:low"),
            ("ERROR:     [Errno 98]", Level::ERROR, "ERROR:     [Errno 98]"),
            ("an ERROR: yes", Level::INFO, "an ERROR: yes"),
        ] {
            assert_eq!(of(line), (level, text));
        }
    }
}
