//! The machine, driven without a process.

mod boot;
mod calls;
mod exit;
mod slot;

use super::simulation::rig;
