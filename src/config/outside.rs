//! What is set outside the file: by `DIRTYD_*` variables and by flags. Both are
//! texts, of keys at the top level.

use std::{collections::BTreeMap, env};

use super::{
    ConfigError, Raw,
    key::Key,
    nearest::nearest,
    place::Place,
    rules::Outside,
    slot::Slot,
    table::{Placed, Table, Visit},
    value::Value,
};

/// What the names of all variables begin with.
const PREFIX: &str = "DIRTYD_";
/// Variables of that kind which are no keys: what the command line, a hook and a worker get.
const NO_KEYS: [&str; 4] =
    ["DIRTYD_CONFIG", "DIRTYD_INSTANCE", "DIRTYD_WORKER", "DIRTYD_WORKER_FD"];
const HOOKS: &str = "DIRTYD_HOOK_";

impl Raw {
    /// Reads `DIRTYD_*` of the given environment: `DIRTYD_MAX_QUEUE=64` is the
    /// key `max_queue`. Keys that hold tables have no variable. A variable of this kind
    /// that is no key is a warning.
    ///
    /// # Errors
    /// A value that its key cannot have.
    pub fn from_env(vars: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let ours = vars.filter(|(name, _)| name.starts_with(PREFIX));
        let (mut raw, left) = Self::from_texts(ours.collect(), &VARIABLES)?;
        let strange = left
            .into_keys()
            .filter(|name| !NO_KEYS.contains(&name.as_str()) && !name.starts_with(HOOKS));
        raw.warnings = strange.map(|name| unknown(&name)).collect();
        Ok(raw)
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
        Self::from_texts(flags.collect(), &FLAGS).map(|(raw, _)| raw)
    }

    /// What `texts` say, and those that no key of the source has.
    fn from_texts(texts: Texts, source: &'static Source) -> Result<(Self, Texts), ConfigError> {
        let mut raw = Self::default();
        let mut reader = Reader { texts, source, failed: None };
        raw.visit(&mut reader);
        match reader.failed {
            None => Ok((raw, reader.texts)),
            Some(error) => Err(error),
        }
    }
}

/// Names and values.
type Texts = BTreeMap<String, String>;

/// Variables or flags.
struct Source {
    kind: Outside,
    /// How a key is called there.
    name_of: fn(&str) -> String,
    place: fn(String) -> Place,
}

const VARIABLES: Source =
    Source { kind: Outside::Variable, name_of: variable, place: Place::Variable };
const FLAGS: Source = Source { kind: Outside::Flag, name_of: str::to_owned, place: flag };

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

fn flag(key: String) -> Place {
    Place::Flag(format!("--{}", key.replace('_', "-")))
}

/// What to say about a variable that sets no key.
fn unknown(name: &str) -> String {
    let mut keys = Reached { set: Vec::new(), others: Vec::new() };
    Raw::default().visit(&mut keys);
    let key = name.trim_start_matches(PREFIX).to_lowercase();
    let remedy = match nearest(&key, keys.set.iter().copied()) {
        _ if keys.others.contains(&key.as_str()) => format!("`{key}` can only be set in the file"),
        Some(nearest) => format!("did you mean {}?", variable(nearest)),
        None => "`dirtyd serve --help` lists most keys".to_owned(),
    };
    format!("the environment variable {name} is not known; {remedy}")
}

/// The keys that a variable can set, and the others.
struct Reached {
    set: Vec<&'static str>,
    others: Vec<&'static str>,
}

impl Visit for Reached {
    fn key<T: Value>(&mut self, key: &Key<T>, _: &mut Slot<T>) {
        match key.rules.outside.reaches(Outside::Variable) {
            true => self.set.push(key.name),
            false => self.others.push(key.name),
        }
    }

    fn table<T: Table>(&mut self, name: &'static str, _: &mut Option<T>) {
        self.others.push(name);
    }

    fn tables<T: Table>(&mut self, name: &'static str, _: &mut Option<Vec<Placed<T>>>) {
        self.others.push(name);
    }
}

/// Reads the keys of the top level from texts.
struct Reader {
    texts: Texts,
    source: &'static Source,
    failed: Option<ConfigError>,
}

impl Visit for Reader {
    fn key<T: Value>(&mut self, key: &Key<T>, slot: &mut Slot<T>) {
        if !key.rules.outside.reaches(self.source.kind) {
            return;
        }
        let name = (self.source.name_of)(key.name);
        let Some((name, text)) = self.texts.remove_entry(&name) else { return };
        let place = (self.source.place)(name);
        match key.read_text(&text) {
            Ok(value) => *slot = Slot::at(place, value),
            Err(message) => {
                self.failed.get_or_insert(ConfigError::Invalid { place, message });
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
    match Raw::from_texts(texts, &FLAGS) {
        Err(ConfigError::Invalid { message, .. }) => Err(message),
        _ => Ok(()),
    }
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
    fn key<T: Value>(&mut self, key: &Key<T>, _: &mut Slot<T>) {
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
