//! What a reload leaves as it is.

use super::load;
use crate::config::{Pending, Takes};

fn pending(old: &str, new: &str) -> Vec<(String, Takes)> {
    let apps = "dirty_apps = [\"a:A\"]";
    let load = |text: &str| {
        let (keys, tables) = text.split_once("[hooks]").unwrap_or((text, ""));
        load(&format!("runtime_dir = \"/r\"\n{keys}\n{apps}\n[hooks]\n{tables}")).expect("valid")
    };
    let found = load(old).pending_after_reload(&load(new));
    found.into_iter().map(|Pending { key, takes }| (key, takes)).collect()
}

#[test]
fn keys_that_take_more_than_a_reload_are_named_once_they_change() {
    let old = "max_connections = 7\nworkers = 1\n[hooks]\non_dirty_starting = [\"true\"]";
    assert_eq!(pending(old, old), []);
    let new = "socket = \"/other.sock\"\nmax_connections = 8\nworkers = 2\n[hooks]\ntimeout = 3";
    let expected = [
        ("hooks.on_dirty_starting", Takes::Upgrade),
        ("hooks.timeout", Takes::Upgrade),
        ("max_connections", Takes::Upgrade),
        ("socket", Takes::Restart),
    ];
    assert_eq!(pending(old, new), expected.map(|(key, takes)| (key.to_owned(), takes)));
}

#[test]
fn a_default_that_is_written_is_no_change() {
    assert_eq!(
        pending("", "log_filter = \"info\"\ngraceful_timeout = 30\n[hooks]\ntimeout = 10"),
        []
    );
}

#[test]
fn a_reload_takes_what_is_of_pools_and_apps() {
    assert_eq!(
        pending("", "timeout = 1\nreload = \"swap\"\n[hooks]\ndirty_worker_init = \"a:b\""),
        []
    );
}
