//! The worker processes of a pool.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::config::{
    declare::keys,
    rules::{Outside, reload},
    units::Seconds,
};

/// More workers than this, or more threads in one, are a mistake.
const MOST: u32 = 4096;

keys! {
    /// What a pool does not take from the top level.
    pub struct Worker {
        /// worker processes; 0 starts none until `dirtyd scale`
        workers: u32 = 1,
            reload().at_most(MOST, "").alias("dirty_workers").outside(Outside::CommonFlag);
        /// calls that one worker runs at once; with 1 an action runs on the main thread
        threads: u32 = 1,
            reload()
                .at_least(1)
                .at_most(MOST, "")
                .alias("dirty_threads")
                .outside(Outside::CommonFlag);
        /// the interpreter of the default command, such as a virtual environment's
        python: PathBuf, reload().unset("`python3`");
        /// the program of the workers and its arguments; with a `/` it is found from the
        /// file's directory
        command: Vec<String>,
            reload().unset("`[python, \"-m\", \"dirtyd.worker\"]`").check(|command: &Vec<String>| not_empty(command));
        /// variables added to the environment
        env: BTreeMap<String, String>, reload().unset("none").outside(Outside::Nowhere);
    }
}

fn not_empty(command: &[String]) -> Result<(), String> {
    match command.first().is_none_or(String::is_empty) {
        true => Err("it is empty; write the program and its arguments".to_owned()),
        false => Ok(()),
    }
}

impl Worker {
    /// The same with programs that are found from anywhere: one with a slash is
    /// found from `base`, another on PATH.
    #[must_use]
    pub fn located(&self, base: &Path) -> Self {
        let located = |program: &Path| match program.as_os_str().as_encoded_bytes().contains(&b'/')
        {
            true => base.join(program),
            false => program.to_owned(),
        };
        let mut worker = self.clone();
        worker.python.value = self.python.as_deref().map(located);
        if let Some(program) = worker.command.as_mut().and_then(|command| command.first_mut()) {
            *program = located(Path::new(program)).to_string_lossy().into_owned();
        }
        worker
    }

    /// The program and its arguments: the command, or the Python worker runtime.
    pub fn program(&self) -> Vec<String> {
        let python = || {
            let python = self.python.as_deref().unwrap_or(Path::new("python3"));
            vec![python.to_string_lossy().into_owned(), "-m".to_owned(), "dirtyd.worker".to_owned()]
        };
        self.command.value.clone().unwrap_or_else(python)
    }
}

keys! {
    /// The times of a worker, and where it runs.
    pub struct Process {
        /// the working directory, from which Python imports
        chdir: PathBuf, reload().unset("the file's directory");
        /// from the start of a worker until it is ready
        boot_timeout: Seconds = Seconds::of(120), reload().check(longer_than_0);
        /// from the interruption of a timed-out call to SIGKILL
        kill_grace: Seconds = Seconds::of(2), reload();
        /// how often an idle worker is asked for a sign of life, and how long it may take to
        /// give one
        heartbeat: Seconds = Seconds::of(30), reload().check(longer_than_0);
    }
}

/// Accepts a duration that some time can pass in.
pub fn longer_than_0(duration: &Seconds) -> Result<(), String> {
    match duration.0.is_zero() {
        true => Err("it must be longer than 0s".to_owned()),
        false => Ok(()),
    }
}
