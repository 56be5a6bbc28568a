//! The tables of docs/configuration.md and docs/dirtyd.schema.json, made from
//! the declarations; the tests hold that they are fresh, and with BLESS=1
//! (`make config-docs`) make them so.

use std::{env, fs, path::Path};

use super::super::{
    groups::{
        access::Access,
        app::{BareApps, Named, Own},
        edge::Edge,
        hooks::{Commands, WorkerInit},
        instance::Instance,
        log::Log,
        observe::Observed,
        queue::Calls,
        recycling::Recycling,
        restarts::Restarts,
        streams::Streams,
        worker::{Process, Worker},
    },
    key::Key,
    raw::{Raw, RawApp, RawHooks, RawPool},
    schema,
    slot::Slot,
    table::{Placed, Table, Visit},
    value::Value,
};

/// The start and the end of a table in the page; the names of its groups stand
/// between the first two.
const START: (&str, &str) = ("<!-- keys: ", " -->\n");
const END: &str = "<!-- end of keys -->";

/// A row of a table.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub name: String,
    pub value: String,
    default: String,
    takes: String,
    meaning: String,
}

/// The rows of what was visited, without tables below.
#[derive(Default)]
pub struct Rows(Vec<Row>);

impl Rows {
    /// The rows of a table.
    pub fn of<T: Table>() -> Vec<Row> {
        let mut rows = Self::default();
        T::default().visit(&mut rows);
        rows.0
    }
}

impl Visit for Rows {
    fn key<T: Value>(&mut self, key: &Key<T>, _: &mut Slot<T>) {
        let kind = T::KIND.split(" such as").next().unwrap_or_default();
        let kind = kind.trim_start_matches("a ").trim_start_matches("an ");
        let default = key.default.as_ref().map(|value| format!("`{}`", value.toml()));
        self.0.push(Row {
            name: format!("`{}`", key.name),
            value: kind.to_owned(),
            default: default.unwrap_or_else(|| key.rules.unset.to_owned()),
            takes: key.rules.takes.to_string(),
            meaning: key.doc(),
        });
    }

    fn table<T: Table>(&mut self, _: &'static str, _: &mut Option<T>) {}

    fn tables<T: Table>(&mut self, _: &'static str, _: &mut Option<Vec<Placed<T>>>) {}
}

fn group(name: &str) -> Vec<Row> {
    match name {
        "instance" => Rows::of::<Instance>(),
        "log" => Rows::of::<Log>(),
        "edge" => Rows::of::<Edge>(),
        "streams" => Rows::of::<Streams>(),
        "worker" => Rows::of::<Worker>(),
        "process" => Rows::of::<Process>(),
        "calls" => Rows::of::<Calls>(),
        "recycling" => Rows::of::<Recycling>(),
        "restarts" => Rows::of::<Restarts>(),
        "named" => Rows::of::<Named>(),
        "own" => Rows::of::<Own>(),
        "bare" => Rows::of::<BareApps>(),
        "hooks" => Rows::of::<Commands>(),
        "init" => Rows::of::<WorkerInit>(),
        "observe" => Rows::of::<Observed>(),
        "access" => Rows::of::<Access>(),
        other => panic!("docs/configuration.md: there is no group of keys `{other}`"),
    }
}

/// The tables that a key can stand in.
fn scope(row: &Row) -> String {
    let tables = [
        ("top", Rows::of::<Raw>()),
        ("pool", Rows::of::<RawPool>()),
        ("app", Rows::of::<RawApp>()),
        ("hooks", Rows::of::<RawHooks>()),
        ("access", Rows::of::<Access>()),
        ("observe", Rows::of::<Observed>()),
    ];
    let holding = tables.iter().filter(|(_, rows)| rows.contains(row)).map(|(name, _)| *name);
    holding.collect::<Vec<_>>().join(", ")
}

fn render(groups: &str) -> String {
    let rows = groups.split(' ').flat_map(group).map(|row| {
        let scope = scope(&row);
        let Row { name, value, default, takes, meaning } = row;
        format!("| {name} | {value} | {default} | {scope} | {takes} | {meaning} |\n")
    });
    let head =
        "| key | value | default | in | a change needs | meaning |\n|---|---|---|---|---|---|\n";
    format!("\n{head}{}\n", rows.collect::<String>())
}

/// The page with each table made anew; and the names of the groups that it has.
fn renewed(page: &str) -> (String, Vec<String>) {
    let mut parts = page.split(START.0);
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut shown = Vec::new();
    for part in parts {
        let (groups, rest) = part.split_once(START.1).expect("the comment has an end");
        let (_, rest) = rest.split_once(END).expect("the table has an end");
        text += &format!("{}{groups}{}{}{END}{rest}", START.0, START.1, render(groups));
        shown.extend(groups.split(' ').map(str::to_owned));
    }
    (text, shown)
}

/// Holds that a file of `docs` has this text, or writes it.
fn fresh(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if env::var_os("BLESS").is_some() {
        fs::write(&path, text).expect("docs can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "docs/{name} is stale: run `make config-docs` and look at the difference"
    );
}

#[test]
fn the_page_has_every_key_as_it_is_declared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(path).expect("the page");
    let (text, groups) = renewed(&page);
    let shown: Vec<Row> = groups.iter().flat_map(|name| group(name)).collect();
    let tables = [
        Rows::of::<Raw>(),
        Rows::of::<RawPool>(),
        Rows::of::<RawApp>(),
        Rows::of::<RawHooks>(),
        Rows::of::<Access>(),
    ];
    for row in tables.iter().flatten() {
        assert!(shown.contains(row), "docs/configuration.md shows no group with {}", row.name);
    }
    for row in &shown {
        let longest = row.meaning.len().max(row.default.len());
        assert!(longest <= 200, "{}: a cell of {longest} characters", row.name);
        assert!(!row.meaning.contains('|') && !row.default.contains('|'), "{}", row.name);
        assert!(!row.default.is_empty(), "{}: what holds if it is unset?", row.name);
    }
    fresh("configuration.md", &text);
}

#[test]
fn the_schema_for_editors_is_fresh() {
    let schema = serde_json::to_string_pretty(&schema()).expect("JSON");
    fresh("dirtyd.schema.json", &format!("{schema}\n"));
}
