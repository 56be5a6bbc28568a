//! The names: of pools, and of apps with the number of workers that load them.

use std::{borrow::Cow, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use crate::config::{
    declare::keys,
    rules::{Outside, reload},
    value::{Item, Value, expected},
};

/// An app as `--app` and `path` write it: `NAME`, `module:Class` or
/// `module:Class:N`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct AppFlag {
    /// The import path.
    pub path: String,
    /// The `:N`, if written.
    pub workers: Option<u32>,
}

impl FromStr for AppFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, workers) = match text.rsplit_once(':') {
            Some((path, count)) if count.starts_with(|c: char| c.is_ascii_digit()) => {
                let count = count.parse().map_err(|_| {
                    format!("`{text}`: `{count}` is not a number of workers; write PATH:N")
                })?;
                (path, Some(count))
            }
            _ => (text, None),
        };
        if path.is_empty() || path.len() > 255 || path.contains(char::is_whitespace) {
            return Err(format!(
                "`{text}` is not an app: write an import path such as \"myapp.ml:MLApp\", of at most 255 bytes"
            ));
        }
        if workers == Some(0) {
            return Err(format!("`{text}`: an app needs at least 1 worker"));
        }
        Ok(Self { path: path.to_owned(), workers })
    }
}

impl Value for AppFlag {
    const KIND: &'static str = "an import path such as \"myapp.ml:MLApp\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_str().map_or_else(|| expected(Self::KIND, value), str::parse)
    }

    fn toml(&self) -> toml::Value {
        let suffix = self.workers.map_or(String::new(), |workers| format!(":{workers}"));
        toml::Value::String(format!("{}{suffix}", self.path))
    }
}

impl Item for AppFlag {
    const LIST: &'static str = "a list of import paths";
}

impl JsonSchema for AppFlag {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "app".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

keys! {
    /// The short form of `[[app]]`.
    pub struct BareApps {
        /// apps of which only the path is written
        dirty_apps: Vec<AppFlag>, reload().unset("none").outside(Outside::Variable);
    }
}

keys! {
    /// What is only of an app.
    pub struct Own {
        /// the import path by which callers and workers know the app; a `:N` behind it is short
        /// for `workers`
        path: AppFlag, reload().required();
        /// in how many workers of the pool to load it
        workers: u32, reload().unset("the class attribute `workers`, else all").at_least(1);
    }
}

keys! {
    /// What is only of a pool.
    pub struct Named {
        /// the name of the pool
        name: String, reload().required();
    }
}
