//! dirtyd: a dirty arbiter. See `ARCHITECTURE.md` for the bird's-eye view.

mod call;
pub mod cli;
mod clock;
pub mod config;
mod console;
mod dirty_arbiter;
pub mod embed;
mod histogram;
pub mod hooks;
#[cfg(feature = "internals")]
pub mod internals;
mod lifeline;
mod listening_socket;
mod logging;
mod main_arbiter;
mod observe;
mod patience;
mod pool;
mod printable;
mod process;
pub mod proto;
mod server;
mod worker;
mod working_dir;
