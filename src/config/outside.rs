//! What is set outside the file: by `DIRTYD_*` variables and by flags. Both are
//! texts, of keys at the top level.

use std::{collections::BTreeMap, env};

use super::{
    ConfigError, Raw,
    key::Key,
    rules::Outside,
    table::{Placed, Table, Visit},
    value::Value,
};

impl Raw {
    /// Reads `DIRTYD_*` of the given environment: `DIRTYD_MAX_QUEUE=64` is the
    /// key `max_queue`. Keys that hold tables have no variable.
    ///
    /// # Errors
    /// A value that its key cannot have.
    pub fn from_env(vars: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let name_of = |key: &str| format!("DIRTYD_{}", key.to_uppercase());
        Self::from_texts(vars.collect(), name_of, Outside::Variable)
            .map_err(|(name, value, message)| ConfigError::Environment { name, value, message })
    }

    /// The environment of this process.
    ///
    /// # Errors
    /// As [`Raw::from_env`].
    pub fn from_process_env() -> Result<Self, ConfigError> {
        Self::from_env(
            env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// The keys and values of flags, such as `("max_queue", "64")`.
    ///
    /// # Errors
    /// A value that its key cannot have.
    pub fn from_flags(flags: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::from_texts(flags.collect(), str::to_owned, Outside::Flag).map_err(
            |(name, value, message)| ConfigError::Invalid {
                place: String::new(),
                message: format!("--{} {value}: {message}", name.replace('_', "-")),
            },
        )
    }

    fn from_texts(
        texts: BTreeMap<String, String>,
        name_of: impl Fn(&str) -> String,
        source: Outside,
    ) -> Result<Self, (String, String, String)> {
        let mut raw = Self::default();
        let mut reader = Texts { texts, name_of, source, failed: None };
        raw.visit(&mut reader);
        reader.failed.map_or(Ok(raw), Err)
    }
}

/// Reads the keys of the top level from texts.
struct Texts<F> {
    texts: BTreeMap<String, String>,
    name_of: F,
    source: Outside,
    failed: Option<(String, String, String)>,
}

impl<F: Fn(&str) -> String> Visit for Texts<F> {
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Option<T>) {
        if !key.rules.outside.reaches(self.source) {
            return;
        }
        let Some((name, text)) = self.texts.remove_entry(&(self.name_of)(key.name)) else { return };
        match key.read_text(&text) {
            Ok(value) => *slot = Some(value),
            Err(message) => {
                self.failed.get_or_insert((name, text, message));
            }
        }
    }

    fn table<T: Table>(&mut self, _: &'static str, _: &mut Option<T>) {}

    fn tables<T: Table>(&mut self, _: &'static str, _: &mut Option<Vec<Placed<T>>>) {}
}

/// What the command line needs to know about a key.
pub struct Flag {
    /// The key; the flag has `-` in place of `_`.
    pub key: &'static str,
    /// Another name of it.
    pub alias: Option<&'static str>,
    /// What stands for its value in the help, such as `DURATION`.
    pub value: String,
    /// What it means, with the default.
    pub help: String,
    /// Whether the short help shows it.
    pub is_common: bool,
    /// Whether a text is a value of the key; the error says why it is none.
    pub check: fn(&str, &str) -> Result<(), String>,
}

/// The flags of all keys that have one.
pub fn flags() -> Vec<Flag> {
    let mut flags = Flags(Vec::new());
    Raw::default().visit(&mut flags);
    flags.0
}

/// Whether `text` is a value of `key`.
fn check(key: &str, text: &str) -> Result<(), String> {
    let texts = BTreeMap::from([(key.to_owned(), text.to_owned())]);
    let read = Raw::from_texts(texts, str::to_owned, Outside::Flag);
    read.map(drop).map_err(|(_, _, message)| message)
}

/// A word for a value of this kind: `PATH` for "a path".
fn placeholder(kind: &str) -> String {
    let kind = kind.split(" such as").next().unwrap_or_default();
    match kind.split(' ').next_back() {
        _ if kind.starts_with("a list") => "LIST".to_owned(),
        Some(word) if !word.contains('"') => word.to_uppercase(),
        _ => "WORD".to_owned(),
    }
}

struct Flags(Vec<Flag>);

impl Visit for Flags {
    fn key<T: Value>(&mut self, key: &Key<T>, _: &mut Option<T>) {
        let rules = &key.rules;
        if !rules.outside.reaches(Outside::Flag) {
            return;
        }
        let default = key.default.as_ref().map(|value| value.toml().to_string());
        let default = default.unwrap_or_else(|| rules.unset.replace('`', ""));
        self.0.push(Flag {
            key: key.name,
            alias: rules.alias,
            value: placeholder(T::KIND),
            help: format!(
                "{} [default: {}]",
                key.sentence().replace('`', ""),
                default.trim_matches('"')
            ),
            is_common: rules.outside == Outside::CommonFlag,
            check,
        });
    }

    fn table<T: Table>(&mut self, _: &'static str, _: &mut Option<T>) {}

    fn tables<T: Table>(&mut self, _: &'static str, _: &mut Option<Vec<Placed<T>>>) {}
}
