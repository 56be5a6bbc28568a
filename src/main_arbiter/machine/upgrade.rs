//! An upgrade, as the old main arbiter sees it.
//!
//! ```text
//!   none --USR2--> booting --it can serve--> serving --this one ends--> (gone)
//!    ^               | too late, worse than the old one, TERM to this one
//!    |               v
//!    +--it exited-- refused --USR2, it exited--> booting
//!                    | too late: SIGKILL
//! ```
//!
//! Whichever state its successor exits in, this one is in charge again. Until it
//! is admitted, the successor takes no connection: no caller meets one that is
//! going to be refused.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::{
    action::{Action, Notice},
    life::Health,
    remark::Remark,
    timeouts::Timeouts,
    upgrade_remark::{UpgradeFailure, UpgradeRemark},
};
use crate::{clock::Deadline, process::children::Exit};

/// Where the upgrade stands.
#[derive(Debug)]
pub(super) struct Upgrade {
    timeouts: Timeouts,
    stage: Stage,
    /// Somebody wants this main arbiter to end once the successor serves.
    then_end: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is none.
    None,
    /// The new binary was started.
    Booting {
        /// When to refuse it.
        give_up_at: Deadline,
    },
    /// The successor was told to end.
    Refused {
        /// Somebody asked for the next upgrade meanwhile.
        again: bool,
        /// When it is killed; `Never` once it was.
        kill_at: Deadline,
    },
    /// The successor serves, and is to outlive this one.
    Serving,
}

impl Upgrade {
    /// No upgrade yet.
    pub(super) fn none(timeouts: Timeouts) -> Self {
        Self { timeouts, stage: Stage::None, then_end: false }
    }

    /// Whether the successor serves.
    pub(super) fn serves(&self) -> bool {
        self.stage == Stage::Serving
    }

    /// Whether the successor serves, and this one is to end for that.
    pub(super) fn takes_over(&self) -> bool {
        self.serves() && self.then_end
    }

    /// When [`on_alarm`](Self::on_alarm) has something to do.
    pub(super) fn due(&self) -> Deadline {
        match self.stage {
            Stage::Booting { give_up_at } => give_up_at,
            Stage::Refused { kill_at, .. } => kill_at,
            Stage::None | Stage::Serving => Deadline::Never,
        }
    }

    /// Somebody asks for an upgrade, and perhaps for the end of this main arbiter
    /// `then`. Whoever asks during one hears how that one ends; there are never two.
    pub(super) fn begin(&mut self, then_end: bool, now: Instant) -> Vec<Action> {
        self.then_end |= then_end;
        match &mut self.stage {
            Stage::None => {
                self.stage = Stage::Booting { give_up_at: self.timeouts.upgraded_by(now) };
                vec![log(UpgradeRemark::Begins), Action::StartSuccessor]
            }
            Stage::Booting { .. } => vec![log(UpgradeRemark::Runs)],
            Stage::Refused { again, .. } => {
                *again = true;
                vec![log(UpgradeRemark::Waits)]
            }
            Stage::Serving => {
                let unfinished = (!self.then_end).then(|| log(UpgradeRemark::Unfinished));
                unfinished.into_iter().chain([Action::Upgraded(Ok(()))]).collect()
            }
        }
    }

    /// The successor has booted, or its health has changed. If this one serves
    /// every app, then the new one must, too.
    pub(super) fn on_health(
        &mut self,
        health: Health,
        ours: Option<Health>,
        now: Instant,
    ) -> Vec<Action> {
        let Stage::Booting { .. } = self.stage else { return Vec::new() };
        if (health, ours) == (Health::Degraded, Some(Health::Whole)) {
            return self.refuse(UpgradeFailure::ServesLess, now);
        }
        self.stage = Stage::Serving;
        vec![
            log(if self.then_end { UpgradeRemark::TakesOver } else { UpgradeRemark::Serves }),
            Action::AdmitSuccessor,
            Action::Notify(Notice::SuccessorIsMain(true)),
            Action::Upgraded(Ok(())),
        ]
    }

    /// The successor ended.
    pub(super) fn on_exit(&mut self, exit: Exit, now: Instant) -> Vec<Action> {
        match std::mem::replace(&mut self.stage, Stage::None) {
            Stage::None => Vec::new(),
            Stage::Refused { again, .. } => {
                let mut actions = vec![Action::Sweep { all: false }];
                if again {
                    actions.extend(self.begin(self.then_end, now));
                }
                actions
            }
            Stage::Booting { .. } => {
                self.then_end = false;
                failed(UpgradeFailure::Exited(exit))
            }
            Stage::Serving => {
                self.then_end = false;
                vec![
                    log(UpgradeRemark::SuccessorDied(exit)),
                    Action::SuccessorLost(exit),
                    Action::Notify(Notice::SuccessorIsMain(false)),
                    Action::Sweep { all: false },
                ]
            }
        }
    }

    /// The new binary could not even be started.
    pub(super) fn on_not_started(&mut self, why: String) -> Vec<Action> {
        (self.stage, self.then_end) = (Stage::None, false);
        failed(UpgradeFailure::NotStarted(why))
    }

    /// Time has passed.
    pub(super) fn on_alarm(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.stage {
            Stage::Booting { give_up_at } if give_up_at.is_over(now) => {
                self.refuse(UpgradeFailure::TooLate(self.timeouts.upgrade), now)
            }
            Stage::Refused { kill_at, .. } if kill_at.is_over(now) => {
                *kill_at = Deadline::Never;
                vec![log(UpgradeRemark::Overdue), Action::SignalSuccessor(Signal::SIGKILL)]
            }
            _ => Vec::new(),
        }
    }

    /// This main arbiter was told to end: a successor that does not serve yet
    /// ends with it.
    pub(super) fn on_stop(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.stage {
            Stage::Booting { .. } => self.refuse(UpgradeFailure::OldOneEnds, now),
            Stage::Refused { again, .. } => {
                *again = false;
                Vec::new()
            }
            Stage::None | Stage::Serving => Vec::new(),
        }
    }

    fn refuse(&mut self, why: UpgradeFailure, now: Instant) -> Vec<Action> {
        let kill_at = self.timeouts.successor_ended_by(now);
        (self.stage, self.then_end) = (Stage::Refused { again: false, kill_at }, false);
        vec![
            log(UpgradeRemark::Failed(why.clone())),
            Action::Upgraded(Err(why)),
            Action::SignalSuccessor(Signal::SIGTERM),
            // A stopped process takes no signal but this one.
            Action::SignalSuccessor(Signal::SIGCONT),
        ]
    }
}

fn failed(why: UpgradeFailure) -> Vec<Action> {
    vec![
        log(UpgradeRemark::Failed(why.clone())),
        Action::Upgraded(Err(why)),
        Action::Sweep { all: false },
    ]
}

fn log(remark: UpgradeRemark) -> Action {
    Action::Log(Remark::Upgrade(remark))
}
