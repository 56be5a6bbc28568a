//! An upgrade, as the old main arbiter sees it. Pure, as the machine that it is
//! a part of: reports, exits and the time go in, actions come out.
//!
//! ```text
//!   none --USR2--> booting --it can serve--> serving --TERM to this one--> (gone)
//!    ^               | too late, worse than the old one, TERM to this one
//!    |               v
//!    +--it exited-- refused --USR2, it exited--> booting
//!                    | too late: SIGKILL
//! ```
//!
//! Whichever state its successor exits in, this one is in charge again. Until it
//! is admitted, the successor takes no connection: no caller meets one that is
//! going to be refused.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::machine::{Action, Notice};
use crate::{lifeline::Report, process::children::Exit};

/// Where the upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upgrade {
    /// There is none.
    None,
    /// The new binary was started.
    Booting {
        /// When to refuse it.
        give_up_at: Instant,
    },
    /// It was told to end.
    Refused {
        /// The next was asked for meanwhile.
        again: bool,
        /// When it is killed; `None` once it was.
        kill_at: Option<Instant>,
    },
    /// It serves, and is to outlive this one.
    Serving,
}

impl Upgrade {
    /// When [`on_alarm`](Self::on_alarm) is due.
    pub fn due(self) -> Option<Instant> {
        match self {
            Self::Booting { give_up_at } => Some(give_up_at),
            Self::Refused { kill_at, .. } => kill_at,
            Self::None | Self::Serving => None,
        }
    }

    /// Starts the new binary, which may take until `give_up_at`. Whoever asks
    /// during an upgrade hears how that one ends; there is never a second.
    pub fn begin(&mut self, give_up_at: Instant) -> Vec<Action> {
        match self {
            Self::None => {
                tracing::info!("SIGUSR2: starting the new binary on the same socket");
                *self = Self::Booting { give_up_at };
                vec![Action::StartSuccessor]
            }
            Self::Booting { .. } => {
                tracing::warn!("SIGUSR2: an upgrade is under way; the new binary boots");
                Vec::new()
            }
            Self::Refused { again, .. } => {
                tracing::info!("SIGUSR2: the next upgrade begins when the refused one has ended");
                *again = true;
                Vec::new()
            }
            Self::Serving => {
                tracing::warn!(
                    "SIGUSR2: the new main arbiter serves already; TERM to this one finishes the upgrade"
                );
                vec![Action::Upgraded(Ok(()))]
            }
        }
    }

    /// The successor told something. `healthy` says whether this one serves
    /// every app: then the new one must, too. One that is refused may take until
    /// `kill_at` to end.
    pub fn on_report(&mut self, report: Report, healthy: bool, kill_at: Instant) -> Vec<Action> {
        let Self::Booting { .. } = self else { return Vec::new() };
        match report {
            Report::Degraded if healthy => {
                let why = "it cannot serve every app, as the old one can".to_owned();
                self.refuse(why, kill_at)
            }
            Report::Ready | Report::Degraded => {
                tracing::info!(
                    "the new main arbiter serves beside this one; TERM to this one finishes the upgrade"
                );
                *self = Self::Serving;
                vec![
                    Action::AdmitSuccessor,
                    Action::Notify(Notice::SuccessorIsMain(true)),
                    Action::Upgraded(Ok(())),
                ]
            }
            Report::Reloaded | Report::WorkerDied | Report::Alive => Vec::new(),
        }
    }

    /// The successor ended; another one may take until `give_up_at`.
    pub fn on_exit(&mut self, exit: Exit, give_up_at: Instant) -> Vec<Action> {
        match std::mem::replace(self, Self::None) {
            Self::None => Vec::new(),
            Self::Refused { again, .. } => {
                let mut actions = vec![Action::Sweep { all: false }];
                if again {
                    actions.extend(self.begin(give_up_at));
                }
                actions
            }
            Self::Booting { .. } => {
                self.fail(format!("the new main arbiter {exit} before it was ready"))
            }
            Self::Serving => {
                tracing::error!("the new main arbiter {exit}; this one stays in charge");
                vec![Action::Notify(Notice::SuccessorIsMain(false)), Action::Sweep { all: false }]
            }
        }
    }

    /// The new binary could not even be started.
    pub fn on_not_started(&mut self, why: String) -> Vec<Action> {
        *self = Self::None;
        self.fail(why)
    }

    fn fail(&self, why: String) -> Vec<Action> {
        tracing::error!("the upgrade failed, this main arbiter stays in charge: {why}");
        vec![Action::Upgraded(Err(why)), Action::Sweep { all: false }]
    }

    /// Time has passed; the successor had `limit` to become ready, and if it is
    /// refused it has until `kill_at` to end.
    pub fn on_alarm(&mut self, limit: Duration, kill_at: Instant, now: Instant) -> Vec<Action> {
        match self {
            Self::Booting { give_up_at } if *give_up_at <= now => {
                self.refuse(format!("it was not ready within {limit:?}"), kill_at)
            }
            Self::Refused { kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                *kill_at = None;
                tracing::error!("the refused new main arbiter did not end in time; it is killed");
                vec![Action::SignalSuccessor(Signal::SIGKILL)]
            }
            _ => Vec::new(),
        }
    }

    /// This main arbiter was told to end: a successor that does not serve yet
    /// ends with it, by `kill_at`.
    pub fn on_stop(&mut self, kill_at: Instant) -> Vec<Action> {
        match self {
            Self::Booting { .. } => {
                self.refuse("the old main arbiter was told to end".to_owned(), kill_at)
            }
            Self::Refused { again, .. } => {
                *again = false;
                Vec::new()
            }
            Self::None | Self::Serving => Vec::new(),
        }
    }

    fn refuse(&mut self, why: String, kill_at: Instant) -> Vec<Action> {
        tracing::error!("the upgrade failed, this main arbiter stays in charge: {why}");
        *self = Self::Refused { again: false, kill_at: Some(kill_at) };
        vec![
            Action::Upgraded(Err(why)),
            Action::SignalSuccessor(Signal::SIGTERM),
            Action::SignalSuccessor(Signal::SIGCONT),
        ]
    }
}
