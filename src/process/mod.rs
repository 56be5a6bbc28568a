//! What the kernel gives: processes, descriptors, signals. It knows no pool and
//! no protocol, and it is the only place of the crate with `unsafe` code.

mod inherited;
pub mod memory;
pub mod pidfd;
mod spawn;

pub use inherited::take_worker_socket;
pub use spawn::{WorkerCommand, WorkerProcess};
