//! The machine, driven without a process.

mod boot;
mod calls;
mod exit;
mod property;
mod rig;
mod slot;
