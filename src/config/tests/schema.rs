//! The JSON Schema accepts what dirtyd accepts, and says no to what editors can
//! find.

use std::{fs, path::Path, process::Command};

use jsonschema::Validator;

use super::super::schema;

/// The schema, ready to validate.
pub fn validator() -> Validator {
    jsonschema::validator_for(&schema().to_value()).expect("a valid schema")
}

/// What the schema has against a configuration.
fn faults(text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().expect("TOML");
    let json = serde_json::to_value(table).expect("JSON");
    validator().iter_errors(&json).map(|error| error.to_string()).collect()
}

#[test]
fn every_configuration_of_the_repository_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git")
        .args(["ls-files", "*dirtyd.toml"])
        .current_dir(root)
        .output()
        .expect("git runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert!(listed.lines().count() >= 5, "the examples are found: {listed}");
    for file in listed.lines() {
        let text = fs::read_to_string(root.join(file)).expect("an example");
        assert_eq!(faults(&text), [""; 0], "{file}");
    }
}

#[test]
fn every_configuration_of_the_page_is_valid() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(page).expect("the page");
    let blocks: Vec<_> = page.split("```toml ").skip(1).collect();
    assert!(blocks.len() >= 4, "the blocks are found");
    for block in blocks {
        let (name, rest) = block.split_once('\n').expect("a block");
        let (text, _) = rest.split_once("```").expect("its end");
        assert_eq!(faults(text), [""; 0], "{name}");
    }
}

#[test]
fn what_an_editor_can_find_is_found() {
    for wrong in [
        "wrokers = 2",
        "workers = \"two\"",
        "workers = 5000",
        "threads = 0",
        "reload = \"slowly\"",
        "socket_mode = \"rw\"",
        "timeout = true",
        "allowed_uids = [\"www\"]",
        "[[app]]\nworkers = 1",
        "[[pool]]\napp = [{ path = \"A\" }]",
        "[[pool]]\nname = \"p\"\nsocket = \"/s\"",
        "[hooks]\ntimeout = \"1s\"\non_start = []",
    ] {
        assert_ne!(faults(wrong), [""; 0], "{wrong}");
    }
    assert_eq!(faults("dirty_workers = 2\ndirty_apps = [\"a:A:2\"]\ntimeout = 1.5"), [""; 0]);
}
