//! Files are short.

use std::fs;

use super::{
    house::{CLIENT, DAEMON, House, name},
    modules::Module,
};

/// The lines of code of a file: no comments, and nothing from the tests on.
fn lines(module: &Module) -> usize {
    let text = fs::read_to_string(&module.file).expect("source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).count()
}

#[test]
fn files_are_short() {
    let files = |house: &'static House| {
        let files = house.modules.iter().filter(|(path, module)| **path == module.of_file);
        files.map(|(path, module)| (lines(module), name(path)))
    };
    let mut lengths: Vec<_> = files(&DAEMON).chain(files(&CLIENT)).collect();
    lengths.sort();
    let (median, _) = lengths[lengths.len() / 2];
    assert!(median < 150, "the median is {median} lines");
    let (longest, file) = lengths.last().expect("files");
    assert!(*longest <= 500, "{file} has {longest} lines");
}
