//! What the kernel gives: processes, descriptors, signals. It knows no pool and
//! no protocol, and it is the only place of the crate with `unsafe` code.

pub mod memory;
pub mod pidfd;
mod socket;
mod spawn;

pub use socket::{Socket, SocketReader, SocketWriter};
pub use spawn::{WorkerCommand, WorkerProcess};
