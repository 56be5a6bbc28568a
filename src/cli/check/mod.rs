//! `dirtyd check`: what a configuration means, and what would happen with it.

mod plan;
mod trial;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use super::{config_flags::ConfigFlags, say};
use crate::{
    config::{Config, schema},
    printable::lines,
};

/// `dirtyd check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    flags: ConfigFlags,
    /// Also start one worker of each pool, load each app in it, and stop it
    #[arg(long)]
    load: bool,
    /// Print the JSON Schema of the configuration file, for editors, and check nothing
    #[arg(long, conflicts_with = "load")]
    schema: bool,
}

impl Check {
    /// Prints the configuration that `serve` would use, as a file that means
    /// the same, what it starts, and who may do what.
    ///
    /// # Errors
    /// What is wrong with it, what it names that is not there, or which app does not load.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.schema {
            let text = serde_json::to_string_pretty(&schema())?;
            say(format_args!("{text}"));
            return Ok(ExitCode::SUCCESS);
        }
        let config = self.flags.load()?;
        for warning in config.warnings() {
            eprintln!("dirtyd: warning: {}", lines(warning));
        }
        io::stdout().write_all(shown(&config).as_bytes())?;
        let missing: Vec<_> = config.missing().iter().map(ToString::to_string).collect();
        if !missing.is_empty() {
            anyhow::bail!("{}", missing.join("\n"));
        }
        if self.load {
            return load(&config);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The configuration as a file, with its consequences in comments.
fn shown(config: &Config) -> String {
    let of = config.file().map(|file| format!(" of {}", file.display())).unwrap_or_default();
    let comments = |lines: Vec<String>| -> String {
        lines.into_iter().map(|line| format!("#   {line}\n")).collect()
    };
    let (starts, who) = (plan::what_starts(config), config.who_may_do_what());
    format!(
        "# the configuration{of} is valid\n{}\n# what starts\n{}\n# who may do what\n{}",
        config.to_toml(),
        comments(starts),
        comments(who),
    )
}

fn load(config: &Config) -> anyhow::Result<ExitCode> {
    say(format_args!("\n# how the apps load"));
    let mut failed = Vec::new();
    for trial::Loaded { app, outcome } in trial::load(config)? {
        match outcome {
            Ok(after) => say(format_args!("#   {app}: ready after {after:.1?}")),
            Err(why) => {
                say(format_args!("#   {app}: it does not load"));
                failed.push(format!("app `{app}`: {}", lines(why.trim_end())));
            }
        }
    }
    if !failed.is_empty() {
        anyhow::bail!("{}", failed.join("\n"));
    }
    Ok(ExitCode::SUCCESS)
}
