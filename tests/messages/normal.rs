//! What differs from run to run, as words that do not.

use std::sync::LazyLock;

use regex::Regex;

use crate::support::python;

/// Patterns, and what replaces what they find.
static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"(?m)^\d{4}-\d\d-\d\dT\S+Z +", ""),
        (r"(pid |pid=|process |\(pid |-TERM )\d+", "${1}PID"),
        (r"request[ :] ?\d+", "request ID"),
        (r"\b\d+\.\d+(ns|µs|ms|s)\b", "TIME"),
        (r"\bup \d+\w+", "up TIME"),
        (r"\b\d+\.\d+ (KiB|MiB|GiB)", "SIZE"),
        (r"\b0 B\b", "SIZE"),
        (r"0x[0-9a-f]{8,}", "ADDRESS"),
        // Frames that are not of the app are of this version of Python and dirtyd.
        (r#"(?m)^ +File "[^D].*\d+ in [\w<>]+(?P<rest>.*)\n"#, "      ...$rest\n"),
        (r"line \d+, in ", "line N, in "),
    ]
    .map(|(pattern, words)| (Regex::new(pattern).expect("a pattern"), words))
    .into()
});

/// The text with nothing in it that is of this run, or of the daemon's folder `dir`.
pub fn normal(text: &str, dir: &str) -> String {
    let python = python();
    let python = python.to_string_lossy();
    let mut text = text.replace(dir, "DIR").replace(&*python, "PYTHON");
    for (pattern, words) in VARYING.iter() {
        text = pattern.replace_all(&text, *words).into_owned();
    }
    let mut above = "";
    let lines = text.lines().filter(|line| {
        let again = line.ends_with("...") && *line == above;
        above = line;
        !again
    });
    let lines = lines.map(|line| {
        let indent = line.len() - line.trim_start().len();
        format!("{}{}\n", &line[..indent], line.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    lines.collect()
}
