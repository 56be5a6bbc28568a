//! The JSON that a person types on the command line, and the JSON that the command line prints.

use dirtyd::internals::{parse_json, render_json};

use crate::engine::Target;

#[test]
fn json() {
    let words: &[&[u8]] = &[
        br#"{"$bytes":"AP8="}"#,
        br#"{"$double":"NaN"}"#,
        br#"{"$double":"-inf"}"#,
        br#"{"$tensor":{"dtype":"float32","shape":[2],"values":[1,2]}}"#,
        br#""float64""#,
        br#""int64""#,
        br#""uint8""#,
        br#""bool""#,
        b"1e999",
        b"-0.0",
        b"9223372036854775808",
        br#""\ud800""#,
        b"[",
        b"]",
        b"{\"a\":",
        b"}",
        b",",
    ];
    Target { name: "json", words, check }.run();
}

/// What is printed of a value can be typed again, and is printed the same.
fn check(typed: &[u8]) {
    let typed = String::from_utf8_lossy(typed);
    let Ok(value) = parse_json(&typed) else { return };
    let printed = render_json(&value);
    assert!(!printed.contains('\n'), "one line: {printed}");
    let again =
        parse_json(&printed).unwrap_or_else(|e| panic!("{typed} is printed {printed}: {e:#}"));
    assert_eq!(render_json(&again), printed, "typed {typed}");
}
