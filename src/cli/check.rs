//! `dirtyd check`: what a configuration means, without starting anything.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use bytesize::ByteSize;

use super::{serve::ConfigFlags, table};
use crate::config::PoolConfig;

/// `dirtyd check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    #[command(flatten)]
    flags: ConfigFlags,
}

impl Check {
    /// Prints the configuration that `serve` would use.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.flags.load()?;
        let mut text = format!(
            "the configuration is valid\n\nsocket            {} (mode {:o})\nruntime_dir       {}\nproc_name         {}\ngraceful_timeout  {:?}\nmax_message_size  {}\n",
            config.socket.display(),
            config.socket_mode,
            config.runtime_dir.display(),
            config.proc_name,
            config.graceful_timeout,
            ByteSize::b(config.limits.max_message_size as u64),
        );
        for pool in &config.pools {
            text += &describe(pool);
        }
        io::stdout().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(pool: &PoolConfig) -> String {
    let rows: Vec<_> = (pool.apps.iter())
        .map(|app| {
            let workers = app.workers.map_or("class or all".to_owned(), |n| n.to_string());
            let timeout = humantime::format_duration(app.timeout).to_string();
            let bytes = app.queue.bytes.map_or("-".to_owned(), |n| ByteSize::b(n).to_string());
            vec![app.path.clone(), workers, timeout, app.queue.calls.to_string(), bytes]
        })
        .collect();
    format!(
        "\npool `{}`: {} workers of {} threads, {}\n{}",
        pool.name,
        pool.workers,
        pool.threads,
        pool.command.join(" "),
        table::render(
            &["APP", "WORKERS", "TIMEOUT", "MAX QUEUE", "MAX QUEUE BYTES"],
            &["MAX QUEUE", "MAX QUEUE BYTES"],
            &rows
        )
    )
}
