//! The command line: one file per subcommand.

mod call;
mod check;
mod connect;
mod json;
mod serve;
mod status;
mod table;
mod tensor;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A dirty arbiter: long, blocking work in pooled worker processes, over gRPC on a Unix socket.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the arbiter.
    Serve(serve::Serve),
    /// Run an action and print its result as JSON.
    Call(call::Call),
    /// Run an action and print its chunks as JSON, one a line, as they come.
    Stream(call::Stream),
    /// Show workers, apps and queues.
    Status(status::Status),
    /// Check a configuration and show what it means.
    Check(check::Check),
}

impl Cli {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// What a person needs to read on stderr.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(serve) => serve.run(),
            Command::Call(call) => call.run(),
            Command::Stream(stream) => stream.run(),
            Command::Status(status) => status.run(),
            Command::Check(check) => check.run(),
        }
    }
}
