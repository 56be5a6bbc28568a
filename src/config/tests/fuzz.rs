//! Any text is a configuration or an error that names something, and what
//! `dirtyd check` prints means the same wherever it stands.

use std::{path::Path, sync::OnceLock};

use jsonschema::Validator;
use proptest::{prelude::*, sample::select, strategy::ValueTree as _};

use super::{
    super::{
        Config, ConfigError,
        raw::{Raw, RawApp, RawHooks, RawPool},
        table::Table,
    },
    pages::Rows,
    schema::validator,
};

const FILE: &str = "/some/folder/fuzz.toml";

fn load(text: &str) -> Result<Config, ConfigError> {
    Config::from_raw(Raw::from_text(Path::new(FILE), text.to_owned())?)
}

/// Every key of a table, with the kind of its value.
fn keys<T: Table>() -> Vec<(String, String)> {
    let rows = Rows::of::<T>().into_iter();
    rows.map(|row| (row.name.trim_matches('`').to_owned(), row.value)).collect()
}

/// A value of a kind; few are out of the bounds of their key.
fn value_of(kind: &str) -> BoxedStrategy<String> {
    let word = "[a-zA-Z0-9:_./ \\\\\"'{}\n-]{1,12}";
    let quoted = |text: String| toml::Value::String(text).to_string();
    match kind {
        "whole number" => (1u32..40).prop_map(|number| number.to_string()).boxed(),
        "duration" => prop_oneof![
            (1u64..100_000).prop_map(|micros| format!("\"{micros}us\"")),
            (1u32..100_000).prop_map(|seconds| seconds.to_string()),
            (1u32..3000).prop_map(|hours| format!("\"{hours}h1ns\"")),
            (0.001..9.0f64).prop_map(|seconds| format!("{seconds:?}")),
        ]
        .boxed(),
        "size" => prop_oneof![
            (1024u64..500_000).prop_map(|bytes| bytes.to_string()),
            (1u64..500).prop_map(|size| format!("\"{size}KiB\"")),
            (1u64..9).prop_map(|size| format!("\"{size}.5MB\"")),
        ]
        .boxed(),
        "file mode" => (0u32..0o1000).prop_map(|mode| format!("\"{mode:o}\"")).boxed(),
        "import path" => "[a-d]:[A-D](:[1-3])?".prop_map(quoted).boxed(),
        "list of import paths" => Just("[\"x:X\", \"y:Y:1\"]".to_owned()).boxed(),
        "list of whole numbers" => prop::collection::vec(any::<u32>(), 0..3)
            .prop_map(|numbers| format!("{numbers:?}"))
            .boxed(),
        "list of strings" => prop::collection::vec(word.prop_map(quoted), 1..3)
            .prop_map(|words| format!("[{}]", words.join(", ")))
            .boxed(),
        "table of strings" => ("[A-Z]{1,4}", word.prop_map(quoted))
            .prop_map(|(name, text)| format!("{{ {name} = {text} }}"))
            .boxed(),
        "path" | "string" => word.prop_map(quoted).boxed(),
        choice => select(choice.split(" or ").map(str::to_owned).collect::<Vec<_>>()).boxed(),
    }
}

/// A value of any kind, or nonsense.
fn any_value() -> BoxedStrategy<String> {
    let odd = select(vec![
        "-1",
        "0",
        "99999999999999999999",
        "0x10",
        "1_000",
        "nan",
        "-inf",
        "1e400",
        "true",
        "{}",
        "{ a = 1 }",
        "[]",
        "[[]]",
        "[{}]",
        "2020-01-01",
        "\"\"",
        "\"\\u0000\"",
        "\"0s\"",
        "=",
        "\"",
        "\"9999999EiB\"",
        "\"18446744073709551615\"",
        "\"a:A:0\"",
        "\"a:A:99999999999\"",
        "'''",
    ]);
    prop_oneof![
        odd.prop_map(str::to_owned),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<String>().prop_map(|text| toml::Value::String(text).to_string()),
        any::<String>(),
    ]
    .boxed()
}

/// Lines for some keys of a table; `wild` values may be anything.
fn lines<T: Table>(wild: bool) -> BoxedStrategy<String> {
    let line = move |(name, kind): (String, String)| {
        let value =
            if wild { prop_oneof![value_of(&kind), any_value()].boxed() } else { value_of(&kind) };
        prop::option::weighted(0.15, value)
            .prop_map(move |value| value.map(|value| format!("{name} = {value}\n")))
    };
    let optional = |(name, _): &(String, String)| {
        !["name", "path", "proc_name", "log_filter"].contains(&name.as_str())
    };
    let keys: Vec<_> =
        keys::<T>().into_iter().filter(|key| wild || optional(key)).map(line).collect();
    keys.prop_map(|lines| lines.into_iter().flatten().collect()).boxed()
}

/// The text of a file with pools and apps.
fn file(wild: bool) -> impl Strategy<Value = String> {
    let app = move |header: &'static str| {
        (lines::<RawApp>(wild), "[a-z]{3}:[A-Z]{2}(:1)?")
            .prop_map(move |(lines, path)| format!("[[{header}]]\npath = \"{path}\"\n{lines}"))
    };
    let pool = (lines::<RawPool>(wild), "[a-z]{4}", prop::collection::vec(app("pool.app"), 1..3))
        .prop_map(|(lines, name, apps)| {
            format!("[[pool]]\nname = \"{name}\"\n{lines}{}", apps.concat())
        });
    (
        lines::<Raw>(wild),
        prop::option::of(lines::<RawHooks>(wild)),
        prop::collection::vec(app("app"), 0..3),
        prop::collection::vec(pool, 0..3),
    )
        .prop_map(|(top, hooks, apps, pools)| {
            let hooks = hooks.map(|lines| format!("[hooks]\n{lines}")).unwrap_or_default();
            format!("{top}{hooks}{}{}", apps.concat(), pools.concat())
        })
}

fn schema() -> &'static Validator {
    static SCHEMA: OnceLock<Validator> = OnceLock::new();
    SCHEMA.get_or_init(validator)
}

/// What must hold for any text.
fn hold(text: &str) -> Result<bool, TestCaseError> {
    let config = match load(text) {
        Ok(config) => config,
        Err(error) => {
            let message = error.to_string();
            let named = ["fuzz.toml", "socket: ", "no app is configured"];
            prop_assert!(named.iter().any(|name| message.contains(name)), "{}", message);
            return Ok(false);
        }
    };
    let shown = config.to_toml();
    let elsewhere = Raw::from_text(Path::new("/else/where.toml"), shown.clone());
    let again = elsewhere.and_then(Config::from_raw);
    let again = again.map_err(|error| TestCaseError::fail(format!("{error} in {shown}")))?;
    prop_assert!(again == config, "it means something else: {}", shown);
    let json = |text: &str| serde_json::to_value(text.parse::<toml::Table>().expect("TOML"));
    for text in [text, &shown] {
        let json = json(text).expect("JSON");
        let fault = schema().iter_errors(&json).next().map(|error| error.to_string());
        prop_assert_eq!(fault, None, "the schema refuses {}", text);
    }
    Ok(true)
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_an_error_that_names_something(text in any::<String>()) {
        hold(&text)?;
    }

    #[test]
    fn any_values_are_a_configuration_or_an_error_that_names_something(text in file(true)) {
        hold(&text)?;
    }

    #[test]
    fn any_variable_is_read_or_named(key in select(keys::<Raw>()), value in any_value()) {
        let name = format!("DIRTYD_{}", key.0.to_uppercase());
        if let Err(error) = Raw::from_env([(name.clone(), value)].into_iter()) {
            prop_assert!(error.to_string().contains(&name));
        }
    }
}

#[test]
fn what_check_prints_means_the_same() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut accepted = 0;
    let tried = 512;
    for _ in 0..tried {
        let text = file(false).new_tree(&mut runner).expect("a file").current();
        accepted += u32::from(hold(&text).expect("holds"));
    }
    assert!(accepted > tried / 4, "only {accepted} of {tried} files were accepted");
}
