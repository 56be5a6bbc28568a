//! Hooks: what the operator, or the program around the library, wants to run at
//! points of the life cycle.
//!
//! They run on one thread beside the pool, in the order in which things
//! happened, so that a slow one delays the next but never a call. The way there
//! is bounded: a hook that is hundreds of events behind misses some, and the log
//! says how many. `dirty_worker_init` is not here: the worker itself runs it.

mod command;
mod runner;

pub use command::CommandHooks;
pub(crate) use runner::Runner;

use std::path::PathBuf;

/// What to run at points of the life cycle. Every method does nothing unless
/// it is written. They may block; a panic ends the hooks, not the arbiter.
pub trait Hooks: Send + 'static {
    /// The dirty arbiter is about to start its first worker; it waits for this.
    fn on_dirty_starting(&mut self, arbiter: &ArbiterFacts) {
        let _ = arbiter;
    }

    /// A worker process was started; its apps are loading.
    fn dirty_post_fork(&mut self, arbiter: &ArbiterFacts, worker: &WorkerFacts) {
        let _ = (arbiter, worker);
    }

    /// A worker process has ended.
    fn dirty_worker_exit(&mut self, arbiter: &ArbiterFacts, worker: &WorkerFacts) {
        let _ = (arbiter, worker);
    }
}

/// What a hook is told of the arbiter.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ArbiterFacts {
    /// The process id of the dirty arbiter.
    pub pid: u32,
    /// The name of the instance.
    pub proc_name: String,
    /// Where it listens.
    pub socket: PathBuf,
    /// Its version.
    pub version: &'static str,
}

/// What a hook is told of a worker.
#[derive(Debug, Clone, serde::Serialize)]
pub struct WorkerFacts {
    /// The arbiter's number for it.
    pub id: u64,
    /// Its process id; after its exit, what that was.
    pub pid: i32,
    /// Its pool.
    pub pool: String,
    /// One line for a person: what happened, why, and what happens next.
    pub message: String,
}
