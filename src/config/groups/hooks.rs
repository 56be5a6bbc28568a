//! Commands to run at points of the life cycle.

use std::{collections::BTreeMap, time::Duration};

use crate::config::{
    declare::keys,
    rules::{Outside, reload, upgrade},
    units::Seconds,
};

/// Commands to run at points of the life cycle; empty ones are not run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Before the first worker starts.
    pub on_dirty_starting: Vec<String>,
    /// After a worker process was started.
    pub dirty_post_fork: Vec<String>,
    /// After a worker process ended.
    pub dirty_worker_exit: Vec<String>,
    /// How long one hook may run.
    pub timeout: Duration,
    /// Additions to their environment.
    pub env: BTreeMap<String, String>,
}

keys! {
    /// The commands.
    pub struct Commands {
        /// runs before the first worker starts
        on_dirty_starting: Vec<String>, upgrade().unset("none");
        /// runs after a worker process was started
        dirty_post_fork: Vec<String>, upgrade().unset("none");
        /// runs after a worker process ended
        dirty_worker_exit: Vec<String>, upgrade().unset("none");
        /// how long a command may run
        timeout: Seconds = Seconds::of(10), upgrade();
    }
}

impl Commands {
    /// What the keys mean.
    pub fn meaning(&self) -> Hooks {
        Hooks {
            on_dirty_starting: self.on_dirty_starting.value.clone().unwrap_or_default(),
            dirty_post_fork: self.dirty_post_fork.value.clone().unwrap_or_default(),
            dirty_worker_exit: self.dirty_worker_exit.value.clone().unwrap_or_default(),
            timeout: self.timeout().0,
            env: BTreeMap::new(),
        }
    }
}

keys! {
    /// What runs in the workers: for all in `[hooks]`, for one pool in `[[pool]]`.
    pub struct WorkerInit {
        /// the import path of a function that each worker calls before it loads apps
        dirty_worker_init: String, reload().unset("none").outside(Outside::Nowhere);
    }
}
