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
    /// the same, and who may do what.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let text = match self.schema {
            true => format!("{}\n", serde_json::to_string_pretty(&schema())?),
            false => {
                let config = self.flags.load()?;
                let who = config.who_may_do_what().into_iter().map(|line| format!("#   {line}\n"));
                let who: String = who.collect();
                format!(
                    "# the configuration is valid\n{}\n# who may do what\n{who}",
                    config.to_toml()
                )
            }
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}
