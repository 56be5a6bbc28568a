//! The command line: one file per subcommand.

mod call;
mod calls;
mod cancel;
mod check;
mod config_flags;
mod connect;
mod events;
pub(crate) mod json;
mod leaving;
mod operator;
mod reload;
mod restart;
mod scale;
mod serve;
mod shown;
mod stacks;
mod status;
mod table;
mod top;
mod upgrade;
mod valid;
mod which;

use std::{
    borrow::Cow,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::printable;

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
    /// Show workers, apps, queues and events live, in the terminal.
    Top(top::Top),
    /// List the calls that wait or run.
    Calls(calls::Calls),
    /// End calls: their callers get CANCELLED, their workers are told to stop.
    Cancel(cancel::Cancel),
    /// Show what a worker does now, without stopping it.
    Stacks(stacks::Stacks),
    /// Print what happens to workers, apps and the arbiter, as it happens.
    Events(events::Events),
    /// Read the configuration again and replace the workers of all pools, or of one.
    Reload(reload::Reload),
    /// Replace one worker; it leaves once another one is ready.
    Restart(restart::Restart),
    /// Give a pool another number of workers.
    Scale(scale::Scale),
    /// Switch to a new binary without downtime.
    Upgrade(upgrade::Upgrade),
    /// Check a configuration and show what it means.
    Check(check::Check),
}

/// Prints a line. A reader that has left, such as `head`, misses it, and no harm is done.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A message as a terminal should get it, whoever wrote a part of it.
pub fn for_a_person(message: &str) -> Cow<'_, str> {
    printable::lines(message)
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
            Command::Top(top) => top.run(),
            Command::Calls(calls) => calls.run(),
            Command::Cancel(cancel) => cancel.run(),
            Command::Stacks(stacks) => stacks.run(),
            Command::Events(events) => events.run(),
            Command::Reload(reload) => reload.run(),
            Command::Restart(restart) => restart.run(),
            Command::Scale(scale) => scale.run(),
            Command::Upgrade(upgrade) => upgrade.run(),
            Command::Check(check) => check.run(),
        }
    }
}
