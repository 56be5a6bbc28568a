//! The dialects of gRPC: Connect and gRPC-Web, in both versions of HTTP, and the JSON
//! codec of all. The services are those of gRPC; what differs is how messages, deadlines
//! and outcomes are put into HTTP.
//!
//! ```text
//!   head (content-type) -> Dialect -> request (message) -> the service, as for gRPC
//!     -> answer: one message or its error  |  translated: message by message, then the ending
//! ```
//!
//! Messages pass unopened but for the JSON codec, which is `codec`'s alone.

mod answer;
mod codec;
mod ending;
mod head;
mod request;
mod text;
mod translated;

pub use answer::{failed, refused, unary, unary_of};
pub use codec::{Described, Messages};
pub use head::{Codec, Dialect, Framing};
pub use request::{as_grpc, envelopes, message};
pub use translated::{Keep, TranslatedBody, translated};
