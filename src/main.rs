//! The `dirtyd` command.

use std::process::ExitCode;

use clap::Parser as _;
use dirtyd::cli::Cli;

/// A call allocates some forty times, and a large payload fresh pages each time:
/// this allocator is quicker at the first and keeps the second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dirtyd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
