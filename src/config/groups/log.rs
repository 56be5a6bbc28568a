//! Where and how to log.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use crate::config::{declare::keys, rules::upgrade, value::choice};

/// Where and how to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The file to append to; stderr if unset.
    pub file: Option<PathBuf>,
    /// One line of text or one JSON object per event.
    pub format: LogFormat,
    /// A `tracing` filter, such as `info` or `dirtyd::pool=debug`.
    pub filter: String,
    /// From which level on to log what workers write.
    pub worker_output: OutputLevel,
}

/// From which level on to log what workers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum OutputLevel {
    /// Nothing.
    Off,
    /// Errors.
    Error,
    /// Warnings and errors.
    Warn,
    /// All but what is for debugging.
    Info,
    /// All.
    Debug,
}

choice!(
    OutputLevel: "\"off\", \"error\", \"warn\", \"info\" or \"debug\"",
    "off" => Off, "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug
);

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

choice!(LogFormat: "\"text\" or \"json\"", "text" => Text, "json" => Json);

keys! {
    /// The log.
    pub struct Log {
        /// the file to append to; USR1 opens it again
        log_file: PathBuf, upgrade().unset("stderr");
        /// `"text"` for people, `"json"` for machines, an object a line
        log_format: LogFormat = LogFormat::Text, upgrade();
        /// what to log of dirtyd itself, as `tracing` writes it: `"info,dirtyd::pool=debug"`
        log_filter: String = "info".to_owned(), upgrade().check(|filter: &String| parsed(filter));
        /// from which level on to log what workers write, whatever `log_filter` says: `"off"`,
        /// `"error"`, `"warn"`, `"info"` or `"debug"`
        worker_output: OutputLevel = OutputLevel::Info, upgrade();
    }
}

/// Only the log's own code can parse it; `dirtyd check` should find it, too.
fn parsed(filter: &str) -> Result<(), String> {
    let parsed = EnvFilter::try_new(filter);
    parsed.map(drop).map_err(|error| {
        format!("`{filter}`: {error}; write it like \"info\" or \"dirtyd::pool=debug\"")
    })
}

impl Log {
    /// What the keys mean.
    pub fn meaning(&self) -> LogConfig {
        LogConfig {
            file: self.log_file.value.clone(),
            format: self.log_format(),
            filter: self.log_filter(),
            worker_output: self.worker_output(),
        }
    }
}
