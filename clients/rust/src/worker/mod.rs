//! The Rust worker SDK: a binary whose apps dirtyd serves.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use dirtyd_client::{
//!     worker::{AppError, Apps, DirtyApp, Output},
//!     Args,
//! };
//!
//! struct Greeter {
//!     greeting: String,
//! }
//!
//! impl DirtyApp for Greeter {
//!     async fn init() -> Result<Self, AppError> {
//!         Ok(Self { greeting: "Hello".to_owned() }) // load a model, open a database, ...
//!     }
//!
//!     async fn execute(&self, action: &str, mut args: Args) -> Result<Output, AppError> {
//!         let name: String = args.take(0, "name")?;
//!         match action {
//!             "greet" => Ok(format!("{}, {name}!", self.greeting).into()),
//!             "spell" => {
//!                 let letters: Vec<char> = name.chars().collect();
//!                 Ok(Output::iter(letters.into_iter().map(|letter| Ok(letter.to_string()))))
//!             }
//!             _ => Err(AppError::unknown_action(action)),
//!         }
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     dirtyd_client::worker::serve(Apps::new().app::<Greeter>("Greeter"))
//! }
//! ```
//!
//! ```toml
//! [[pool]]
//! name = "greeters"
//! command = ["./greeter"]
//! workers = 2
//! app = [{ path = "Greeter" }]
//! ```
//!
//! # Threads
//!
//! Every call runs on a thread of its own, so an action may block, and it may
//! await: timers and sockets of tokio work. The socket of the worker has a
//! thread that no app runs on, so pings, credit and cancels are never late.
//!
//! # Ending early
//!
//! A call that is cancelled ends at its next await, or at the next chunk of its
//! stream: the future or the stream is dropped. Code that computes for long asks
//! [`current_call`] with [`Call::check`]. Rust code cannot be interrupted; an
//! action that overruns its timeout and never asks costs its worker: the arbiter
//! kills it after `kill_grace`.
//!
//! # Metrics and traces
//!
//! [`metrics`] has counters, gauges and histograms, which dirtyd adds up over all
//! workers.
//!
//! The trace of the caller is in its metadata; [`Call::traceparent`] has its first
//! part. This SDK knows no tracing library. With the crate `opentelemetry`:
//!
//! ```ignore
//! let call = current_call();
//! let carrier = HashMap::from([("traceparent".to_owned(), call.traceparent().unwrap_or_default().to_owned())]);
//! let _guard = global::get_text_map_propagator(|propagator| propagator.extract(&carrier)).attach();
//! ```
//!
//! # Failing
//!
//! `?` turns any [`std::error::Error`] into an [`AppError`] with its type, its
//! causes and the place; a panic ends its call, not the worker (unless the
//! binary is built with `panic = "abort"`).

mod action;
mod app;
mod call;
mod credit;
mod error;
pub mod metrics;
mod panics;
mod payload;
mod protocol;
mod registry;
mod report;
mod said;
mod stacks;
mod task;

use std::process::ExitCode;

pub use app::{DirtyApp, Output};
pub use call::{Call, CancelReason, current_call};
pub use error::AppError;
pub use registry::{Apps, Worker};
/// The gRPC codes that an [`AppError`] may choose.
pub use tonic::Code;

use crate::{busy_wait, system::take_worker_socket};

/// As many threads as a worker may ever have.
const MAX_THREADS: usize = 4096;

/// Serves the apps to the arbiter that started this process, until it says to
/// stop or is gone. To be returned from `main`.
pub fn serve(apps: Apps) -> ExitCode {
    panics::record_places();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().thread_name(stacks::THREAD).max_blocking_threads(MAX_THREADS);
    let ended = busy_wait::runtime(&mut builder).and_then(|(runtime, busy_wait)| {
        let served =
            runtime.block_on(async { task::run(apps, take_worker_socket()?, busy_wait).await });
        // What still hangs in an action must not keep the process.
        runtime.shutdown_background();
        served
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dirtyd worker: {error}");
            ExitCode::FAILURE
        }
    }
}
