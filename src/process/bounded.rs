//! Running a command to its end, within a limit.

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::{
    children::{Exit, OwnChild},
    pidfd,
};

/// What of its output is kept.
const KEPT: u64 = 4096;

/// Runs a command with `input` on stdin, in a process group of its own, and
/// kills the group when `limit` has passed. Returns how it ended (`None` if it had
/// to be killed), and the first 4 KiB that it wrote to stderr.
///
/// # Errors
/// It cannot be started; the text names it.
pub fn run_bounded(
    command: &[String],
    env: &BTreeMap<&str, String>,
    input: &[u8],
    limit: Duration,
) -> io::Result<(Option<Exit>, String)> {
    let (program, args) =
        command.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
    let mut command = Command::new(program);
    command
        .args(args)
        .envs(env)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = OwnChild::spawn(&mut command).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start `{program}`: {error}"))
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // Less than a pipe holds, so that this never waits; whether it is read
        // is the command's affair.
        let _ = stdin.write_all(input);
    }
    let group = Pid::from_raw(child.id() as i32);
    let in_time = pidfd::open(group.as_raw()).is_ok_and(|pidfd| pidfd::wait(&pidfd, limit));
    // What it left behind goes with it; not reaped, its id is not reused.
    let _ = killpg(group, Signal::SIGKILL);
    let stderr = last_words(&mut child);
    let status = child.wait()?;
    let exit = match status.code() {
        Some(code) => Exit::Code(code),
        None => Exit::Signal(status.signal().unwrap_or(0)),
    };
    Ok((in_time.then_some(exit), stderr))
}

/// What is in the pipe: it is not waited for, since a process that left the
/// group may hold it open.
fn last_words(child: &mut OwnChild) -> String {
    let Some(stderr) = child.stderr.take() else { return String::new() };
    let flags = nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK);
    let mut bytes = Vec::new();
    if nix::fcntl::fcntl(&stderr, flags).is_ok() {
        let _ = stderr.take(KEPT).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> (Option<Exit>, String) {
        let command = ["sh", "-c", script].map(str::to_owned);
        let env = BTreeMap::from([("WHO", "worker".to_owned())]);
        run_bounded(&command, &env, b"facts", limit).expect("sh is there")
    }

    #[test]
    fn it_gets_the_facts_and_tells_how_it_ended() {
        let long = Duration::from_secs(60);
        let (exit, stderr) = sh("read facts; echo $WHO $facts >&2; exit 3", long);
        assert_eq!((exit, stderr.as_str()), (Some(Exit::Code(3)), "worker facts"));
    }

    #[test]
    fn what_hangs_is_killed_with_its_children() {
        let (exit, stderr) = sh("sleep 1000 & echo $! >&2; wait", Duration::from_millis(300));
        assert_eq!(exit, None);
        let child: i32 = stderr.parse().expect("its id");
        if let Ok(pidfd) = pidfd::open(child) {
            assert!(pidfd::wait(&pidfd, Duration::from_secs(30)), "it dies with its group");
        }
    }
}
