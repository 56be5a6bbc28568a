//! dirtyd: a dirty arbiter. See `ARCHITECTURE.md` for the bird's-eye view.

pub mod call;
pub mod config;
mod process;
pub mod proto;
mod worker;
mod pool;
mod server;
