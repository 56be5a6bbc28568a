//! What the machine has to say to the operator: one line of the log each.

use std::{fmt, time::Duration};

use nix::sys::signal::Signal;

use super::upgrade_remark::UpgradeRemark;
use crate::process::children::Exit;

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody asked for something that is not done.
    Warn,
    /// Something failed.
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// A signal began the drain, which may take this long.
    Draining(Signal, Duration),
    /// A signal asked for the drain that runs.
    DrainsAlready(Signal),
    /// The successor was told to end, so this one has this long to finish.
    SuccessorStops(Duration),
    /// The successor that this one gave way to is gone.
    Returning(Exit),
    /// A signal ended the drain, or came instead of one.
    EndingAtOnce(Signal),
    /// The dirty arbiter ended after it was told to.
    Ended(Exit),
    /// The dirty arbiter did not end in time.
    Overdue,
    /// The dirty arbiter died, and the next one starts after this pause.
    Died(Exit, Duration),
    /// The dirty arbiter could not be started; the next try is after this pause.
    NextTry(Duration),
    /// The dirty arbiter left pings unanswered for this long.
    Silent(Duration),
    /// The dirty arbiter was told to reload.
    Reloading,
    /// The dirty arbiter is down, so it did not get the signal.
    NotPassedOn(Signal),
    /// About an upgrade of this main arbiter.
    Upgrade(UpgradeRemark),
    /// This is the successor, and its dirty arbiter died before it was ready.
    GivingUp(Exit),
    /// This is the successor, and the old main arbiter is gone.
    TakingOver,
}

impl Remark {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::Draining(..)
            | Self::DrainsAlready(_)
            | Self::SuccessorStops(_)
            | Self::EndingAtOnce(_)
            | Self::Ended(_)
            | Self::Reloading
            | Self::TakingOver => Level::Info,
            Self::NotPassedOn(_) => Level::Warn,
            Self::Upgrade(remark) => remark.level(),
            Self::Overdue
            | Self::Returning(_)
            | Self::Died(..)
            | Self::NextTry(_)
            | Self::Silent(_)
            | Self::GivingUp(_) => Level::Error,
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining(signal, limit) => {
                write!(f, "{signal}: stopping; the dirty arbiter has up to {limit:?} to drain")
            }
            Self::DrainsAlready(signal) => {
                write!(
                    f,
                    "{signal}: already draining; SIGQUIT, or another SIGINT, ends that at once"
                )
            }
            Self::SuccessorStops(limit) => write!(
                f,
                "the new main arbiter was told to stop: the dirty arbiter of this one, too, has up to {limit:?} to drain"
            ),
            Self::Returning(exit) => write!(
                f,
                "the new main arbiter {exit} before this one had exited: this one stays; its dirty arbiter drains for up to graceful_timeout, then the next one starts"
            ),
            Self::EndingAtOnce(signal) => write!(f, "{signal}: ending at once, without a drain"),
            Self::Ended(exit) => write!(f, "the dirty arbiter {exit}; this process will exit"),
            Self::Overdue => f.write_str("the dirty arbiter did not exit in time; killing it"),
            Self::Died(Exit::Code(0), pause) => {
                write!(f, "the dirty arbiter has exited; the next one starts {}", after(*pause))
            }
            Self::Died(exit, pause) => write!(
                f,
                "the dirty arbiter {exit}; its calls are lost and its workers stopped; the next one starts {}",
                after(*pause)
            ),
            Self::NextTry(pause) => write!(f, "the next try is {}", after(*pause)),
            Self::Silent(time) => write!(
                f,
                "the dirty arbiter gave no sign of life for {time:?}; killing it and starting another"
            ),
            Self::Reloading => f.write_str("SIGHUP: the dirty arbiter reloads"),
            Self::NotPassedOn(signal) => {
                write!(f, "{signal}: the dirty arbiter is down; the signal was not passed on")
            }
            Self::Upgrade(remark) => remark.fmt(f),
            Self::GivingUp(exit) => write!(
                f,
                "the dirty arbiter {exit} before it was ready; the upgrade is abandoned; the old main arbiter stays in charge"
            ),
            Self::TakingOver => {
                f.write_str("the old main arbiter has exited; this one takes over its name")
            }
        }
    }
}

fn after(pause: Duration) -> String {
    if pause.is_zero() { "at once".to_owned() } else { format!("in {pause:?}") }
}
