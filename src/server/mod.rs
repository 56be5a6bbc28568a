//! The edge: gRPC on a Unix socket. It reads envelopes and deadlines, enforces
//! limits, submits calls to the pool and maps what comes back. It decodes no
//! arguments and owns no state of a call.
//!
//! ```text
//!   UnixListener -> peer check -> authority repair -> hyper HTTP/2
//!     -> router -> Arbiter (raw bytes) | Admin, health, reflection
//! ```

mod admin;
pub(crate) mod authority;
mod connection;
mod deadline;
pub(crate) mod envelope;
mod execute;
mod health;
mod listener;
pub(crate) mod message;
mod router;
mod status;
mod stream;
mod watch;

pub use admin::ReloadConfig;
pub use listener::Edge;
