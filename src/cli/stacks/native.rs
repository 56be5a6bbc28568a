//! The stacks of workers from outside, by py-spy, which sees native frames, and workers
//! that do not answer.

use std::{
    io::{self, Write as _},
    process::{Command, ExitCode, Output, Stdio},
};

use anyhow::bail;
use dirtyd_client::proto::v1::WorkerStatus;

use crate::{
    cli::{for_a_person, which::name},
    printable::lines,
};

/// The program.
const PY_SPY: &str = "py-spy";

/// Prints what py-spy sees of each worker. It fails if it sees nothing of one.
///
/// # Errors
/// py-spy is not installed.
pub fn dump(workers: &[&WorkerStatus]) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (index, worker) in workers.iter().enumerate() {
        let seen = run(worker.pid)?;
        let mut out = io::stdout().lock();
        let between = if index == 0 { "" } else { "\n" };
        writeln!(out, "{between}{}", name(worker))?;
        write!(out, "{}", lines(&String::from_utf8_lossy(&seen.stdout)))?;
        out.flush()?;
        if !seen.status.success() {
            eprintln!("dirtyd: {}", for_a_person(&failure(worker, &seen)));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn run(pid: i32) -> anyhow::Result<Output> {
    let mut command = Command::new(PY_SPY);
    command.args(["dump", "--native", "--pid", &pid.to_string()]).stdin(Stdio::null());
    match command.output() {
        Ok(output) => Ok(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("{PY_SPY} is not on the PATH; install it with `pip install {PY_SPY}`")
        }
        Err(error) => bail!("{PY_SPY} cannot be run: {error}"),
    }
}

/// Why py-spy saw nothing, and what may help.
fn failure(worker: &WorkerStatus, seen: &Output) -> String {
    let said = String::from_utf8_lossy(&seen.stderr);
    let said = said.trim();
    let denied = ["ermission", "not permitted", "EPERM"].iter().any(|word| said.contains(word));
    let remedy = match denied {
        true => {
            "\nrun the command as root, or as the user of the worker where the kernel allows that (kernel.yama.ptrace_scope)"
        }
        false => "",
    };
    format!("{PY_SPY} saw nothing of {}: {said}{remedy}", name(worker))
}
