//! What dirtyd says, to read in one sitting: `source.txt` has every sentence of the
//! code, `life.txt` the log of a life, `commands.txt` what the commands print. `BLESS=1`
//! writes them anew; whoever changes a message reads the change in the diff.

mod commands;
mod life;
mod normal;
mod source;

use std::{env, fs};

use crate::support::repository;

/// Compares a text with a file beside this one, line by line.
fn golden(name: &str, text: &str) {
    golden_by(name, text, |text| text.lines().map(str::to_owned).collect());
}

/// Compares what matters of a text, as lines, with that of a file beside this one.
fn golden_by(name: &str, text: &str, matter: impl Fn(&str) -> Vec<String>) {
    let path = repository().join("tests/messages").join(name);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, text).expect("the file");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let (kept, new) = (matter(&kept), matter(text));
    let differs = kept.iter().zip(&new).position(|(kept, new)| kept != new);
    let first = differs.unwrap_or(kept.len().min(new.len()));
    let line = |lines: &[String]| lines.get(first).map_or("(the end)", String::as_str).to_owned();
    assert!(
        kept == new,
        "tests/messages/{name} differs:\n  kept: {}\n  new:  {}\nread the new text, then set BLESS=1\n{text}",
        line(&kept),
        line(&new)
    );
}
