//! Plain HTTP with JSON, for curl and whatever speaks HTTP: `POST /v1/{app}/{action}`.
//! Arguments and results pass unopened, as those of gRPC do; the worker reads and writes
//! JSON.
//!
//! ```text
//!   target (method, path) -> form (accept) -> request (body) -> the arbiter's call
//!     -> answers: one value, or its error  |  lines: a value as it comes
//! ```

mod answers;
mod form;
mod lines;
mod request;
mod target;

pub use answers::{apps, error, index, nothing, one, streamed};
pub use form::Form;
pub use lines::Lines;
pub use request::{is_own_header, is_readable, read};
pub use target::{NoTarget, Target};
