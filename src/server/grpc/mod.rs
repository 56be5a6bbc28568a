//! gRPC's own messages in bodies of HTTP: a flag, four bytes of length, and the
//! message itself.
//!
//! tonic's codecs gather each message in a buffer of its own, on either way.
//! Here a message passes as the bytes that came. Only small ones are copied,
//! because they would keep a buffer of the connection alive that is larger than
//! they are.

mod frame;
mod head;
mod request;
mod streaming;
#[cfg(test)]
mod tests;
mod trailers;
mod unary;

pub use frame::{HEAD, SMALL, framed, length, split};
pub use head::{NotGrpc, check, check_trailers};
pub use request::read;
pub use streaming::StreamingBody;
pub use trailers::{STATUS, of as trailers_of};
pub use unary::UnaryBody;
