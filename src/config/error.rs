//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

use super::place::Place;

/// The message where there is nothing to serve.
pub const NO_APP: &str =
    "no app is configured: give --app module:Class, or write an [[app]] with a path";

/// A configuration that cannot be used. The message names the file or variable,
/// the key, the line where there is one, and what was expected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {why}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// The file is not TOML.
    #[error("{path}: {message}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parser's words, with line and column.
        message: String,
    },
    /// A key is unknown, or its value is none that it can have, or contradicts
    /// another's.
    #[error("{}{message}", place.prefix())]
    Invalid {
        /// Where it is written.
        place: Place,
        /// The key, what is wrong with it, and the remedy.
        message: String,
    },
}
