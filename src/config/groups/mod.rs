//! The keys, a file per subject: each file declares its keys and says what
//! their values mean.
//!
//! A new key is declared in the `keys!` of its group and used in that group's
//! meaning; `make config-docs` writes the page and the schema. A new group is
//! also put into its table in `raw`, and named in the page that shows it.

pub mod access;
pub mod app;
pub mod edge;
pub mod hooks;
pub mod instance;
pub mod log;
pub mod observe;
pub mod queue;
pub mod recycling;
pub mod restarts;
pub mod streams;
pub mod worker;
