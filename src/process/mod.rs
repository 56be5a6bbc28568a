//! The kernel's things: processes, descriptors, signals, PID files, memory. This
//! folder knows no pool, no protocol and no language of workers, and it is the only
//! place of the crate with `unsafe` code.

pub mod allocator;
mod bounded;
pub mod children;
pub mod cpu;
pub mod descriptors;
mod fork;
mod in_time;
pub mod inode;
pub mod marked;
pub mod memo;
pub mod memory;
mod peer_groups;
pub mod pidfd;
pub mod pidfile;
pub mod private_dir;
pub mod private_file;
pub mod signals;
mod spawn;
mod stat;

pub use bounded::run_bounded;
pub use fork::{Program, fork_self};
pub use in_time::in_time;
pub use peer_groups::peer_groups;
pub use spawn::{WorkerCommand, WorkerProcess};
