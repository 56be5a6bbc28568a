//! The edge: gRPC, and HTTP with JSON, on a listening socket. It reads envelopes and deadlines,
//! enforces limits, submits calls to the pool and maps what comes back. It
//! decodes no arguments and owns no state of a call.
//!
//! ```text
//!   listener -> connection: admission -> preface -> authority repair -> HTTP/2 | HTTP/1
//!     -> router -> Arbiter (raw bytes) | Admin, health, reflection | JSON (raw text)
//!          each of them in gRPC or one of its dialects: Connect, gRPC-Web
//! ```

mod access;
mod admin;
mod admission;
mod answer;
mod arrival;
pub(crate) mod authority;
mod body;
mod calm;
mod chunks;
mod connection;
mod cors;
mod counter;
mod deadline;
mod dialect;
mod edge;
pub(crate) mod envelope;
mod execute;
pub(crate) mod grpc;
mod guarded;
mod header_value;
mod health;
mod held;
mod http1;
mod http2;
mod json;
mod lifetime;
mod linger;
mod listener;
mod locked;
mod metadata;
mod notice;
mod origins;
mod outstanding;
mod past;
mod preface;
mod reload;
mod requests;
mod router;
mod scrape;
mod seldom;
mod services;
mod status;
mod unread;
mod until_drain;

pub use edge::{Edge, Insight};
pub use listener::{UnixSocket, groups_of, peer_of};
pub use reload::ReloadConfig;
pub use scrape::Scrape;
pub use status::http_of;
#[cfg(feature = "internals")]
pub use {
    listener::{Arrival, Listener},
    services::Further,
};
