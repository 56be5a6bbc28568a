//! What the kernel gives: sockets, and who runs this process. It knows no
//! protocol, and it is the only place of the crate with `unsafe` code.

#[cfg(feature = "worker")]
mod inherited;
mod socket;
mod user;

#[cfg(feature = "worker")]
pub(crate) use inherited::take_worker_socket;
pub use socket::{Socket, SocketReader, SocketWriter, enlarge, received};
pub use user::is_root;
