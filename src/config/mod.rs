//! The configuration, in two stages: [`Raw`] is what was written, in the file,
//! the environment and the flags; [`Config`] is what the rest of the program
//! sees, typed and complete. Nothing starts before the second stage has
//! succeeded.
//!
//! Each key is declared once, in `groups`, with its documentation, default,
//! bounds and what a reload does with it; the tables of `raw` say where it can
//! stand. All else visits these declarations:
//!
//! ```text
//!   file ─ read ────┐                                      ┌─> meaning: Config
//!   DIRTYD_* ───────┼─> Raw ─ overlaid ─> complete: Raw ───┼─> show: `dirtyd check`
//!   flags ─ outside ┘                                      └─> change: what a reload leaves, who: may do what,
//!                                                              missing: what the machine lacks
//!   declarations alone: schema (for editors), tests/pages (docs/configuration.md)
//! ```
//!
//! A leaf: it knows no other module of the crate.

mod change;
mod complete;
mod declare;
mod error;
mod file;
mod groups;
mod key;
mod meaning;
mod missing;
mod nearest;
mod origin;
mod outside;
mod place;
mod raw;
mod read;
mod rules;
mod schema;
mod show;
mod slot;
mod table;
mod units;
mod value;
mod who;

#[cfg(test)]
mod tests;

pub use change::Pending;
pub use error::{ConfigError, NO_APP};
pub use groups::{
    access::{AccessEntry, AdminRight},
    app::AppFlag,
    edge::Limits,
    hooks::Hooks,
    instance::ReloadMode,
    log::{LogConfig, LogFormat, OutputLevel},
    observe::{AccessLog, AccessLogConfig, Observe, ObserveAddress, OtlpConfig, OtlpProtocol},
    queue::QueueLimits,
    recycling::Recycle,
    restarts::Intensity,
    streams::Window,
};
pub use meaning::{AppConfig, Config, PoolConfig};
pub use outside::{Flag, flags};
pub use place::Place;
pub use raw::Raw;
pub use rules::Takes;
pub use schema::schema;
pub use units::{parse_duration, parse_size};

/// The name of the pool that the top level of the configuration describes.
pub const DEFAULT_POOL: &str = "default";
