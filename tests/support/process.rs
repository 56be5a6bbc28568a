//! Processes that tests start, and the traces that they leave.

use std::{
    fs,
    path::Path,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// What a finished command left.
#[derive(Debug)]
pub struct Output {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// Sends a signal to a process of ours.
pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("the process is there");
}

/// Waits for a child to end, for so long.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    until(limit, || child.try_wait().expect("a child of ours"))
}

/// Asks until there is an answer, for so long; for `Drop`, which cannot await.
pub fn until<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        match probe() {
            None if Instant::now() < end => thread::sleep(Duration::from_millis(5)),
            found => return found,
        }
    }
}

/// The processes whose environment holds `mark`; zombies have none.
pub fn marked(mark: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| {
        let path = Path::new("/proc").join(pid.to_string()).join("environ");
        let environment = fs::read(path).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    })
    .collect()
}

/// Kills the processes whose environment holds `mark`.
pub fn kill_all(mark: &str) {
    for pid in marked(mark) {
        // One that is gone already is what is wanted.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
