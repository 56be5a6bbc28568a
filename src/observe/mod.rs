//! What operators see: metrics, the access log, traces, and the figures of status and page.
//! All are made of one [`CallRecord`] for each call.

pub mod access_log;
pub mod family;
pub mod histogram;
pub mod otlp;
mod record;
#[cfg(test)]
mod sample;
pub mod trace;

pub use record::{CallRecord, Outcome, Protocol};
