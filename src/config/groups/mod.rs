//! The keys, a file per subject: each file declares its keys and says what
//! their values mean.

pub mod app;
pub mod edge;
pub mod hooks;
pub mod instance;
pub mod log;
pub mod queue;
pub mod recycling;
pub mod restarts;
pub mod streams;
pub mod worker;
