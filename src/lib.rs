//! dirtyd: a dirty arbiter. See `ARCHITECTURE.md` for the bird's-eye view.

mod busy_wait;
mod call;
pub mod cli;
pub mod client;
mod clock;
pub mod config;
mod dirty_arbiter;
pub mod embed;
mod frames;
pub mod hooks;
#[cfg(feature = "internals")]
pub mod internals;
mod lifeline;
mod listening_socket;
mod logging;
mod main_arbiter;
mod patience;
mod pool;
mod process;
pub mod proto;
pub mod sdk;
mod server;
pub mod value;
mod worker;
