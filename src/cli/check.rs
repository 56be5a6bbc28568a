//! `dirtyd check`: what a configuration means, without starting anything.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use super::config_flags::ConfigFlags;
use crate::config::schema;

/// `dirtyd check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Print the JSON Schema of the configuration file, for editors, and check nothing
    #[arg(long)]
    schema: bool,
}

impl Check {
    /// Prints the configuration that `serve` would use, as a file that means
    /// the same.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let text = match self.schema {
            true => format!("{}\n", serde_json::to_string_pretty(&schema())?),
            false => format!("# the configuration is valid\n{}", self.flags.load()?.to_toml()),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
