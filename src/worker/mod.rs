//! One worker process: a handle for the pool, a task that owns the process.
//!
//! ```text
//!   pool --Control--> task --frames--> worker process
//!        <--Event----      <--frames--
//! ```
//!
//! The task owns the process, its socket and the calls that run in it. It
//! answers those calls itself, whatever happens: with the worker's frames, at
//! their deadlines, or when the process dies. It tells the pool only what the
//! pool's tables need: which slot is free again, what loaded, what died.
//!
//! ```text
//!   booting --first load list done--> serving --Drain--> draining
//!       \____________________________ / ______________/
//!                    process ends or is killed --> buried
//! ```
//!
//! It knows no queue, no other worker and no gRPC.

mod loading;
mod output;
mod pulse;
mod running;
mod task;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use dirtyd_client::system::Socket;
use tokio::sync::mpsc;

use crate::{
    call::{AppFailure, Call, CallId, Credit, EndedBy, WorkerRef},
    config::{PoolConfig, Window},
    process::{WorkerCommand, WorkerProcess},
};

/// What a worker needs to know from the configuration.
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
    /// Counts frames for calls that had ended.
    pub late_frames: Arc<AtomicU64>,
}

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
    /// The reader of a stream took so much.
    Credit(CallId, Credit),
    /// Finish what runs, then exit.
    Drain,
    /// End now.
    Kill(String),
}

/// What a worker's task tells the pool.
#[derive(Debug)]
pub enum Event {
    /// An import is done: the class attribute `workers`.
    Imported(String, Result<Option<u32>, AppFailure>),
    /// An app is loaded, or not.
    Loaded(String, Result<(), AppFailure>),
    /// The first load list is done.
    Booted,
    /// A call left its slot; true if its caller got a result.
    Finished(CallId, bool),
    /// A call ran into its timeout; one line for people.
    TimedOut(CallId, String),
    /// The process is gone.
    Died(Death),
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
    /// Calls that it had not started: to be served by others.
    pub unstarted: Vec<Call>,
    /// Calls that it had started; they are answered.
    pub lost: Vec<CallId>,
}

/// The pool's end of a worker.
#[derive(Debug)]
pub struct WorkerHandle {
    /// The process.
    pub worker: WorkerRef,
    control: mpsc::Sender<Control>,
}

impl WorkerHandle {
    /// Starts a process and its task.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn start(
        spec: WorkerSpec,
        events: mpsc::Sender<(u64, Event)>,
    ) -> std::io::Result<WorkerHandle> {
        let pool = Arc::clone(&spec.pool);
        let command = WorkerCommand { command: &pool.command, env: &pool.env, chdir: &pool.chdir };
        let (mut process, socket) = WorkerProcess::spawn(&command)?;
        let worker = WorkerRef { id: spec.id, pid: process.pid() };
        let log = |pipe: Option<_>, name, last: &output::LastLine| {
            let pool = pool.name.clone();
            pipe.map(|pipe| tokio::spawn(output::log_lines(pipe, worker, pool, name, last.clone())))
        };
        log(process.stdout.take(), "stdout", &output::LastLine::default());
        let last_words = output::LastLine::default();
        let stderr = log(process.stderr.take(), "stderr", &last_words);
        // Room for a Start, a Cancel and the credit of a whole window, which comes
        // in halves, per slot, and then some. The pool never waits: to find it full
        // means that the task is stuck.
        let (control, receiver) = mpsc::channel(8 * pool.threads.get() as usize + 16);
        let socket = Socket::new(socket)?;
        tokio::spawn(
            task::Task::new(spec, worker, process, socket, receiver, events)
                .with_stderr(stderr, last_words)
                .run(),
        );
        Ok(WorkerHandle { worker, control })
    }

    /// Gives the task a call; gives it back, untouched, if the worker is gone
    /// already.
    #[must_use]
    pub fn start_call(&self, call: Call) -> Option<Call> {
        match self.control.try_send(Control::Start(call)).err()?.into_inner() {
            Control::Start(call) => Some(call),
            _ => unreachable!("try_send gives back what it got"),
        }
    }

    /// Tells the task something; a worker that is gone needs no telling.
    pub fn tell(&self, control: Control) {
        if let Err(mpsc::error::TrySendError::Full(control)) = self.control.try_send(control) {
            tracing::error!(
                worker = self.worker.id,
                pid = self.worker.pid,
                ?control,
                "the worker's task does not listen; please report this"
            );
        }
    }
}
