//! The worker processes of a pool.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::config::{
    key::{Outside, keys, reload},
    units::Seconds,
};

/// More workers than this, or more threads in one, are a mistake.
const MOST: u32 = 4096;

keys! {
    /// What a pool does not take from the top level.
    pub struct Worker {
        /// worker processes; 0 runs nothing until scaled
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
        /// file's folder
        command: Vec<String>,
            reload().unset("`[python, \"-m\", \"dirtyd.worker\"]`").check(not_empty);
        /// variables added to the environment
        env: BTreeMap<String, String>, reload().unset("none").outside(Outside::Nowhere);
    }
}

fn not_empty(command: &Vec<String>) -> Result<(), String> {
    match command.first().is_none_or(String::is_empty) {
        true => Err("it is empty; write the program and its arguments".to_owned()),
        false => Ok(()),
    }
}

impl Worker {
    /// The same with the command in full. A program with a slash is found from
    /// `base`, another on PATH.
    #[must_use]
    pub fn located(&self, base: &Path) -> Self {
        let located = |program: &str| match program.contains('/') {
            true => base.join(program).to_string_lossy().into_owned(),
            false => program.to_owned(),
        };
        let python = self.python.as_deref().unwrap_or(Path::new("python3")).to_string_lossy();
        let command = match self.command.as_deref().and_then(<[_]>::split_first) {
            Some((program, arguments)) => {
                [located(program)].into_iter().chain(arguments.iter().cloned()).collect()
            }
            None => vec![located(&python), "-m".to_owned(), "dirtyd.worker".to_owned()],
        };
        Self { command: Some(command), python: None, ..self.clone() }
    }
}

keys! {
    /// The times of a worker, and where it runs.
    pub struct Process {
        /// the working directory, from which Python imports
        chdir: PathBuf, reload().unset("the file's folder");
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
