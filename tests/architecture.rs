//! The rules of ARCHITECTURE.md that a compiler does not hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::repository;

/// The sources of the client's crate, from `src`.
const CLIENT: &str = "../clients/rust/src";

/// The Rust files below a folder of `src`, with their code: no comments, and
/// nothing from the unit tests on.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![repository().join("src").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !is_test(&path) {
                let text = fs::read_to_string(&path).expect("source");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.push((path, code.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    assert!(!found.is_empty(), "src/{folder} is there");
    found
}

fn is_test(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains("/tests") || path.ends_with("_tests.rs"))
}

/// The files that hold one of `words`, but for those `except`.
fn offenders(folder: &str, words: &[&str], except: &[&str]) -> Vec<String> {
    let holds = |code: &str| words.iter().find(|word| code.contains(**word)).copied();
    sources(folder)
        .into_iter()
        .filter(|(path, _)| !except.iter().any(|except| path.ends_with(except)))
        .filter_map(|(path, code)| Some(format!("{} has {}", path.display(), holds(&code)?)))
        .collect()
}

/// The modules of the crate that some code names, such as `call` for
/// `crate::call::Call` and for `crate::{call::Call, clock}`.
fn modules_used(code: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first_name = |text: &'_ str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    let mut modules = Vec::new();
    for used in code.split("crate::").skip(1) {
        let Some(list) = used.strip_prefix('{') else {
            modules.push(&used[..first_name(used)]);
            continue;
        };
        // The names at depth 0 of a list that may hold others.
        let mut depth = 0;
        let mut at_name = true;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_name = true,
                c if at_name && is_name(c) => {
                    modules.push(&list[at..at + first_name(&list[at..])]);
                    at_name = false;
                }
                _ => {}
            }
        }
    }
    modules
}

#[test]
fn the_pool_knows_no_grpc_and_no_server() {
    let words = ["tonic", "crate::server", "crate::cli", "hyper", "h2::"];
    assert_eq!(offenders("pool", &words, &[]), [""; 0]);
}

#[test]
fn a_worker_knows_no_pool_and_no_grpc() {
    let words = ["crate::pool", "crate::server", "tonic::"];
    assert_eq!(offenders("worker", &words, &[]), [""; 0]);
}

#[test]
fn a_process_knows_nothing_of_what_it_is_for() {
    let words = ["crate::pool", "crate::worker", "crate::server", "crate::call", "crate::config"];
    assert_eq!(offenders("process", &words, &[]), [""; 0]);
}

#[test]
fn one_file_of_the_server_names_the_codes_of_grpc() {
    assert_eq!(offenders("server", &["tonic::Code", "Code::"], &["server/status.rs"]), [""; 0]);
}

#[test]
fn unsafe_code_is_in_one_place_of_each_crate_and_says_why() {
    for (sources, place) in [("", "/src/process/"), (CLIENT, "/src/system/")] {
        assert_eq!(
            offenders(sources, &["unsafe {", "unsafe fn", "unsafe impl"], &[])
                .iter()
                .filter(|offender| !offender.contains(place))
                .collect::<Vec<_>>(),
            [""; 0]
        );
    }
    for (path, _) in [sources("process"), sources(&format!("{CLIENT}/system"))].concat() {
        let text = fs::read_to_string(&path).expect("source");
        let reasons = text.matches("// SAFETY:").count();
        let blocks = text.matches("unsafe {").count();
        assert!(reasons >= blocks, "{}: {blocks} blocks, {reasons} reasons", path.display());
    }
}

#[test]
fn what_the_client_shares_with_the_arbiter_are_leaves() {
    let leaves = [
        // The macro `args` names what its caller sees.
        ("value", &["value", "proto", "Args", "Value"][..]),
        ("system", &["system"]),
        ("frames", &["frames", "system"]),
    ];
    for (leaf, allowed) in leaves {
        for (path, code) in sources(&format!("{CLIENT}/{leaf}")) {
            for module in modules_used(&code) {
                assert!(allowed.contains(&module), "{} uses {module}", path.display());
            }
        }
    }
}

#[test]
fn configuration_and_calls_are_leaves() {
    for (leaf, allowed) in
        [("config", &["config"][..]), ("call", &["call", "clock"]), ("clock", &["clock"])]
    {
        for (path, code) in sources(leaf) {
            for module in modules_used(&code) {
                assert!(allowed.contains(&module), "{} uses {module}", path.display());
            }
        }
    }
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, PathBuf)> = [sources(""), sources(CLIENT)]
        .concat()
        .into_iter()
        .filter(|(path, _)| !path.to_str().is_some_and(|path| path.contains("/proto/dirty.")))
        .map(|(path, code)| (code.lines().count(), path))
        .collect();
    lengths.sort();
    let (median, _) = lengths[lengths.len() / 2];
    assert!(median < 150, "the median is {median} lines");
    let (longest, path) = lengths.last().expect("files");
    assert!(*longest <= 500, "{} has {longest} lines", path.display());
}
