//! Lists of cases that are known to fail: a case a line, above it its reason as a comment.

use std::{collections::BTreeSet, fs};

use crate::support::repository;

/// The cases of a list of this folder.
pub fn failures(list: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(repository().join("tests/judges").join(list)).expect("the list");
    let mut explained = false;
    let mut cases = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        match line {
            "" => explained = false,
            comment if comment.starts_with('#') => explained = true,
            case => {
                assert!(explained, "{list}: `{case}` stands there without a reason");
                assert!(cases.insert(case.to_owned()), "{list}: `{case}` stands there twice");
            }
        }
    }
    cases
}

/// Holds what failed against the list.
pub fn compare(list: &str, failed: &BTreeSet<String>, report: &str) {
    let known = failures(list);
    let new: Vec<_> = failed.difference(&known).collect();
    let mended: Vec<_> = known.difference(failed).collect();
    assert!(
        new.is_empty() && mended.is_empty(),
        "these fail and are not in tests/judges/{list}: {new:#?}\n\
         these are in the list and pass, or are no cases: {mended:#?}\n{report}"
    );
}
