//! What the arbiter is at: the one place that says what may be asked now, and why
//! not.
//!
//! ```text
//!   Opening ──> Serving <──> Reloading
//!                  \____________/ ──> Draining: work ──> Draining: goodbye ──> forced
//! ```

mod drain;
mod reload;
mod rollback;
mod scope;

pub use self::{drain::Drain, reload::Reload, scope::Scope};
use super::ids::SeatId;
use crate::{
    call::CallError,
    pool::{ReloadError, ScaleError},
};

/// What the arbiter is at.
#[derive(Debug)]
pub enum Phase {
    /// The first workers are about to be started.
    Opening,
    /// Nothing but calls.
    Serving,
    /// Workers are replaced one by one.
    Reloading(Box<Reload>),
    /// It ends.
    Draining(Drain),
}

impl Phase {
    /// Whether a call may come: until the workers of a drain are told to exit.
    pub fn may_submit(&self) -> Result<(), CallError> {
        match self {
            Self::Draining(drain) if drain.refuses_calls() => Err(CallError::Draining),
            _ => Ok(()),
        }
    }

    /// Whether a worker may be started: until the others are told to exit.
    pub fn may_start_workers(&self) -> bool {
        self.may_submit().is_ok()
    }

    /// Whether a pool may have another size, also during a reload.
    pub fn may_scale(&self) -> Result<(), ScaleError> {
        match self {
            Self::Draining(_) => Err(ScaleError::Draining),
            _ => Ok(()),
        }
    }

    /// Whether a reload may begin: one at a time.
    pub fn may_reload(&self) -> Result<(), ReloadError> {
        match self {
            Self::Reloading(_) => Err(ReloadError::Busy),
            Self::Draining(_) => Err(ReloadError::Draining),
            Self::Opening | Self::Serving => Ok(()),
        }
    }

    /// Whether a worker that dies, or has served enough, is replaced.
    pub fn may_replace_workers(&self) -> bool {
        self.drain().is_none()
    }

    /// Whether the first workers are still to be started.
    pub fn is_opening(&self) -> bool {
        matches!(self, Self::Opening)
    }

    /// Whether a reload is replacing the worker of this seat, or is going to.
    pub fn is_replacing(&self, seat: SeatId) -> bool {
        matches!(self, Self::Reloading(reload) if reload.concerns(seat))
    }

    /// Whether a reload has the new worker of this seat wait for those of other pools.
    pub fn is_proving(&self, seat: SeatId) -> bool {
        matches!(self, Self::Reloading(reload) if reload.is_proving(seat))
    }

    /// The drain, if there is one.
    pub fn drain(&self) -> Option<&Drain> {
        match self {
            Self::Draining(drain) => Some(drain),
            _ => None,
        }
    }
}
