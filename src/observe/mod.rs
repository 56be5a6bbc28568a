//! What operators see: metrics, the access log, traces, and the figures of status and page.
//! All are made of one [`CallRecord`](record::CallRecord) for each call.

pub mod access_log;
pub mod exposition;
pub mod family;
pub mod gather;
pub mod history;
mod minute;
pub mod otlp;
mod outlets;
pub mod recent;
mod record;
#[cfg(test)]
mod sample;
pub mod seats;
pub mod tally;
pub mod trace;
mod watch;

pub use outlets::Outlets;
pub use tally::OTHER;
pub use watch::{Failed, Observer, Watch};
