//! Points in time, and waking up at them. [`Deadline`] is pure and stands in
//! every decision; [`Alarm`] is what the task around a machine waits for.
//!
//! The idiom is the same everywhere: a machine has a `due()`, its task sets the
//! alarm to it after each event, and an alarm that rings is an event.

mod alarm;
mod deadline;

pub use alarm::Alarm;
pub use deadline::Deadline;
