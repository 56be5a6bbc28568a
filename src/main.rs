//! The `dirtyd` command.

use std::process::ExitCode;

use clap::Parser as _;
use dirtyd::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dirtyd: {}", dirtyd::cli::for_a_person(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
