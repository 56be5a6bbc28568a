//! One worker process: a handle for the pool, a task that owns the process, and
//! a machine that decides.
//!
//! ```text
//!   pool --Control--> task --Event--> machine
//!        <--Report---      <--Action--
//!                      |
//!                      +--frames--> worker process
//!                      <--frames---
//! ```
//!
//! The [`machine`] has the stages of a worker's life and the calls that run in
//! it; it is pure. The [`task`] owns the process, its socket and the clock, and
//! carries out what the machine decides. Each call is answered here, whatever
//! happens: with the worker's frames, at its deadline, or when the process dies.
//! The pool is told only what its tables need: which slot is free again, what is
//! loaded, what has died.
//!
//! It knows no queue, no other worker and no gRPC.

mod inbox;
pub mod machine;
mod outbox;
mod output;
mod task;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use dirtyd_client::{
    proto::{v1::Stack, worker::Metrics},
    system::Socket,
};

use crate::{
    call::{AppFailure, Call, CallId, CallView, Credit, EndedBy, WorkerRef},
    config::{PoolConfig, Window},
    process::{WorkerCommand, WorkerProcess},
};
use machine::Machine;
pub use machine::NoStacks;

/// What is known about a worker before it starts.
#[derive(Debug, Clone)]
pub struct WorkerSpec {
    /// The arbiter's number for it.
    pub id: u64,
    /// Its pool.
    pub pool: Arc<PoolConfig>,
    /// The credit that its streams start with.
    pub window: Window,
    /// The largest message in bytes.
    pub max_message_size: usize,
    /// How long it may look for the next frame before it sleeps.
    pub busy_wait: Duration,
    /// How long it may take from Shutdown to its exit, its calls aside.
    pub graceful_timeout: Duration,
}

/// Where the stacks of a worker go. It is dropped if the worker ends before it answers.
pub type StacksReply = oneshot::Sender<Result<Vec<Stack>, NoStacks>>;

/// What the pool tells a worker's task.
#[derive(Debug)]
pub enum Control {
    /// Import an app and report its class attributes.
    Import(Vec<String>),
    /// Load apps, one after the other. The first list ends the boot.
    Load(Vec<String>),
    /// Run a call.
    Start(Call),
    /// The caller of a call left.
    Cancel(CallId),
    /// An operator ended a call: it is answered, and the work has `kill_grace` to end.
    CancelByOperator(CallId),
    /// The reader of a stream has taken this much more of it.
    Credit(CallId, Credit),
    /// Finish what runs, then exit.
    Drain,
    /// End the streams that still go on at the instant.
    EndStreams(Instant),
    /// Say which calls run.
    ListCalls(mpsc::UnboundedSender<Vec<CallView>>),
    /// Ask the process what it does now.
    GetStacks(StacksReply),
    /// End now.
    Kill(String),
}

/// What a worker's task tells the pool.
#[derive(Debug)]
pub enum Report {
    /// An import is done: the class attribute `workers`.
    Imported(String, Result<Option<u32>, Box<AppFailure>>),
    /// An app is loaded, or not.
    Loaded(String, Result<(), Box<AppFailure>>),
    /// An app that failed to load cannot be tried again in this process; its failure
    /// follows.
    Spoiled,
    /// The first load list is done.
    Booted,
    /// A call left its slot.
    Finished(End),
    /// A call ran into its timeout; one line for the journal.
    TimedOut(CallId, String),
    /// The caller of a call has its answer, and the work goes on.
    Abandoned(CallId),
    /// A call was ended because the worker is to leave; one line for the journal.
    CutOff(CallId, String),
    /// A frame came for a call that has no caller any more, and was dropped.
    LateFrame,
    /// What the metrics of apps have gained.
    Metrics(Box<Metrics>),
    /// The process is gone. Nothing follows.
    Died(Box<Death>),
}

/// The end of a call in a worker, with its times. The time of its arrival is in
/// its [`CallRequest`](crate::call::CallRequest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The call.
    pub call: CallId,
    /// Whether its caller got a result.
    pub served: bool,
    /// When it got its slot, and its request was handed to the worker's socket.
    pub started: Instant,
    /// When its first chunk came; `None` if none did, and for Execute.
    pub first_chunk: Option<Instant>,
    /// When its last frame came, or its worker's end was known.
    pub ended: Instant,
}

/// The end of a worker process.
#[derive(Debug)]
pub struct Death {
    /// How it ended.
    pub ended: EndedBy,
    /// The app that it was loading.
    pub loading: Option<String>,
    /// The last line that it wrote to stderr; empty if there was none.
    pub last_words: String,
    /// Calls that it had not started, and whose callers still wait: others may
    /// serve them.
    pub unstarted: Vec<Call>,
    /// The ends of all other calls that were in its slots: those that it had
    /// started, which are answered, and those that nobody waits for. None of them
    /// is served.
    pub lost: Vec<End>,
}

/// The pool's end of a worker.
#[derive(Debug)]
pub struct WorkerHandle {
    /// The process.
    pub worker: WorkerRef,
    control: mpsc::Sender<Control>,
    /// The place in the channel that is kept for a Kill, so that it is never lost.
    kill: Mutex<Option<mpsc::OwnedPermit<Control>>>,
}

impl WorkerHandle {
    /// Starts a process and its task.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start(
        spec: WorkerSpec,
        reports: mpsc::Sender<(u64, Report)>,
    ) -> std::io::Result<WorkerHandle> {
        let pool = Arc::clone(&spec.pool);
        let command = WorkerCommand { command: &pool.command, env: &pool.env, chdir: &pool.chdir };
        let (mut process, socket) = WorkerProcess::spawn(&command)?;
        let worker = WorkerRef { id: spec.id, pid: process.pid() };
        output::log_stdout(process.stdout.take(), worker, &pool.name);
        let last_words = output::log_stderr(process.stderr.take(), worker, &pool.name);
        // Each slot has room for a Start, a Cancel and the credit of a whole window,
        // which comes in halves. The pool never waits: if it finds the channel full,
        // the task is stuck.
        let (control, receiver) = mpsc::channel(8 * pool.threads.get() as usize + 16);
        let kill = Mutex::new(control.clone().try_reserve_owned().ok());
        let socket = Socket::new(socket)?;
        let machine = Machine::new(spec, worker, Instant::now());
        let task = task::Task::new(machine, socket, receiver, reports, last_words);
        tokio::spawn(task.run(process));
        Ok(WorkerHandle { worker, control, kill })
    }

    /// Gives the task a call. Returns it, untouched, if the worker is gone already.
    #[must_use]
    pub fn start_call(&self, call: Call) -> Option<Call> {
        match self.control.try_send(Control::Start(call)).err()?.into_inner() {
            Control::Start(call) => Some(call),
            _ => unreachable!("try_send gives back what it got"),
        }
    }

    /// Tells the task something. A worker that is gone does not need to hear it.
    pub fn tell(&self, control: Control) {
        if let Err(mpsc::error::TrySendError::Full(control)) = self.control.try_send(control) {
            let kill = || self.kill.lock().unwrap_or_else(PoisonError::into_inner).take();
            if matches!(control, Control::Kill(_))
                && let Some(place) = kill()
            {
                place.send(control);
                return;
            }
            tracing::error!(
                worker = self.worker.id,
                pid = self.worker.pid,
                ?control,
                "the worker's task does not listen; please report this"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_heard_even_if_the_channel_is_full() {
        let (control, mut heard) = mpsc::channel(3);
        let kill = Mutex::new(control.clone().try_reserve_owned().ok());
        let handle = WorkerHandle { worker: WorkerRef { id: 1, pid: 1 }, control, kill };
        for _ in 0..3 {
            handle.tell(Control::Drain);
        }
        handle.tell(Control::Kill("it has to go".to_owned()));
        let mut all = Vec::new();
        while let Ok(control) = heard.try_recv() {
            all.push(matches!(control, Control::Kill(_)));
        }
        assert_eq!(all, [false, false, true]);
    }
}
