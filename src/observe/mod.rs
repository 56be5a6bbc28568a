//! What operators see: metrics, the access log, traces, and the figures of status and page.
//! All are made of one [`CallRecord`] for each call.

pub mod family;
pub mod histogram;
pub mod history;
mod minute;
pub mod recent;
mod record;
pub mod trace;

pub use record::{CallRecord, Outcome, Protocol};
