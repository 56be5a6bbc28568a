//! What operators see: metrics, the access log, traces, and the figures of status and page.
//! All are made of one [`CallRecord`] for each call.

pub mod exposition;
pub mod family;
pub mod gather;
pub mod history;
mod minute;
pub mod recent;
mod record;
pub mod seats;
pub mod tally;
pub mod trace;
mod watch;

pub use record::{CallRecord, Outcome};
pub use tally::OTHER;
pub use watch::{Failed, Observer, Watch};
