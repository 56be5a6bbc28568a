//! What the kernel gives: processes, descriptors, signals, PID files. It knows
//! no pool and no protocol, and it is the only place of the crate with `unsafe`
//! code.

mod bounded;
pub mod children;
pub mod descriptors;
mod fork;
pub mod marked;
pub mod memo;
pub mod memory;
pub mod pidfd;
pub mod pidfile;
pub mod private_file;
pub mod signals;
mod spawn;
mod stat;

pub use bounded::run_bounded;
pub use fork::{Program, fork_self};
pub use spawn::{WorkerCommand, WorkerProcess};
