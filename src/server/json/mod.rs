//! Plain HTTP with JSON, for curl and whatever speaks HTTP: `POST /v1/{app}/{action}`.
//! Arguments and results pass unopened, as those of gRPC do; the worker reads and writes
//! JSON.
//!
//! ```text
//!   target (method, path) -> form (accept), head -> the arbiter's call
//!     -> answers: one value, or its error  |  lines: a value as it comes
//! ```

mod answers;
mod form;
mod head;
mod lines;
mod target;

pub use answers::{apps, error, index, nothing, one, streamed};
pub use form::Form;
pub use head::is_readable;
pub use lines::Lines;
pub use target::Target;
