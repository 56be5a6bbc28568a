//! A simulated dirty arbiter: what the machine sees of one, and no more.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{
    draw::Draw,
    plan::{Move, Plan},
    world::{DirtyId, Happening, MainId, World},
};
use crate::{lifeline::Report, patience, process::children::Exit};

/// What a dirty arbiter does at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// It takes signals; until then they end it.
    Begin,
    /// It reports.
    Report(Report),
    /// It ends in order.
    Exit(Exit),
    /// It runs again after it was stopped.
    Thaw,
    /// It works again after it was stuck.
    Recover,
    /// It is ended: by the kernel, or by its guard.
    Die(Exit),
}

/// The process.
#[derive(Debug)]
pub(super) struct DirtyProcess {
    /// Its main arbiter.
    pub(super) main: MainId,
    pub(super) is_alive: bool,
    /// It may take connections.
    pub(super) is_admitted: bool,
    /// It has reported that its workers have booted.
    pub(super) has_booted: bool,
    /// Since when it could not answer.
    pub(super) mute_since: Option<Duration>,
    /// Since when it can answer again, and since when it could not before that.
    pub(super) well_since: Duration,
    was_mute_since: Option<Duration>,
    takes_signals: bool,
    drains: bool,
    frozen: bool,
    hung: bool,
    /// What it has not done because it is stopped or stuck.
    deferred: Vec<Does>,
    signals: Vec<Signal>,
    /// How long its calls take to end.
    drain_takes: Duration,
}

impl DirtyProcess {
    fn new(main: MainId, is_admitted: bool, plan: &Plan, draw: &mut Draw) -> Self {
        let longest = patience::dirty_arbiter_drains(plan.timeouts.graceful);
        Self {
            main,
            is_alive: true,
            is_admitted,
            has_booted: false,
            mute_since: None,
            well_since: Duration::ZERO,
            was_mute_since: None,
            takes_signals: false,
            drains: false,
            frozen: false,
            hung: false,
            deferred: Vec::new(),
            signals: Vec::new(),
            drain_takes: draw.often_short(longest),
        }
    }

    /// Whether it serves whoever connects.
    pub(super) fn serves(&self) -> bool {
        self.is_alive && self.is_admitted && self.has_booted && !self.frozen && !self.hung
    }
    /// It cannot answer from now on. A moment in which it could, but was not asked,
    /// does not count.
    fn is_mute_from(&mut self, now: Duration, slack: Duration) {
        let just_well = now - self.well_since <= slack;
        let since = self.was_mute_since.filter(|_| just_well).unwrap_or(now);
        self.mute_since.get_or_insert(since);
    }

    fn is_mute(&self) -> bool {
        self.frozen || self.hung
    }
}

impl World {
    /// A main arbiter starts one.
    pub(super) fn start_dirty(&mut self, main: MainId, is_admitted: bool) -> DirtyId {
        let id = self.dirties.len();
        self.dirties.push(DirtyProcess::new(main, is_admitted, &self.plan, &mut self.draw));
        self.stats.starts += 1;
        let begin = self.lag();
        self.dirty_later(id, begin, Does::Begin);
        let boots = if self.calm { Duration::from_secs(2) } else { Duration::from_secs(40) };
        let boots = begin + self.draw.often_short(boots);
        let does = if !self.fails() {
            Does::Report(Report::Ready)
        } else if self.draw.one_in(2) {
            Does::Report(Report::Degraded)
        } else {
            Does::Exit(Exit::Code(1))
        };
        self.dirty_later(id, boots, does);
        if self.fails() {
            let crashes = boots + self.draw.often_short(Duration::from_secs(20));
            self.dirty_later(id, crashes, Does::Exit(Exit::Code(101)));
        }
        id
    }

    /// A move of the plan meets it.
    pub(super) fn move_dirty(&mut self, id: DirtyId, what: Move) {
        let now = Duration::ZERO;
        match what {
            Move::Kill(_) => self.signal_dirty(id, Signal::SIGKILL),
            Move::Freeze(_, time) => self.freeze_dirty(id, time),
            Move::Hang(_, time) => self.hang_dirty(id, time),
            Move::Crash(_) => self.dirty_later(id, now, Does::Exit(Exit::Code(101))),
            Move::WorkerDies(_) => self.dirty_later(id, now, Does::Report(Report::WorkerDied)),
            Move::HealthChanges(_, served) if self.dirties[id].has_booted => {
                let report = if served { Report::Ready } else { Report::Degraded };
                self.dirty_later(id, now, Does::Report(report));
            }
            Move::HealthChanges(..) | Move::Signal(..) | Move::Upgrade => {}
        }
    }

    fn dirty_later(&mut self, id: DirtyId, after: Duration, does: Does) {
        self.later(after, Happening::Dirty(id, does));
    }

    /// Its time has come to do something.
    pub(super) fn dirty_does(&mut self, id: DirtyId, does: Does) {
        let dirty = &mut self.dirties[id];
        if !dirty.is_alive {
            return;
        }
        match does {
            Does::Die(exit) => self.dirty_dies(id, exit),
            Does::Thaw => self.thaw_dirty(id),
            Does::Recover => {
                dirty.hung = false;
                self.speak_again(id);
            }
            _ if dirty.is_mute() => dirty.deferred.push(does),
            Does::Begin => dirty.takes_signals = true,
            Does::Report(report) => {
                dirty.has_booted |= matches!(report, Report::Ready | Report::Degraded);
                let main = dirty.main;
                if report != Report::Alive {
                    self.tell(|| format!("dirty {id} reports {report:?}"));
                }
                self.report(main, report);
            }
            Does::Exit(exit) => self.dirty_dies(id, exit),
        }
    }

    fn dirty_dies(&mut self, id: DirtyId, exit: Exit) {
        self.dirties[id].is_alive = false;
        self.tell(|| format!("dirty {id} {exit}"));
        self.bury_dirty(id, exit);
    }

    /// A signal arrives.
    pub(super) fn signal_dirty(&mut self, id: DirtyId, signal: Signal) {
        let lag = self.lag();
        let dirty = &mut self.dirties[id];
        match signal {
            _ if !dirty.is_alive => {}
            Signal::SIGKILL => self.dirty_later(id, lag, Does::Die(Exit::Signal(9))),
            Signal::SIGCONT => self.thaw_dirty(id),
            _ if dirty.is_mute() => dirty.signals.push(signal),
            _ if !dirty.takes_signals => {
                self.dirty_later(id, lag, Does::Die(Exit::Signal(signal as i32)));
            }
            Signal::SIGQUIT => self.dirty_later(id, lag, Does::Exit(Exit::Code(0))),
            Signal::SIGTERM => self.drain(id),
            Signal::SIGHUP if !dirty.drains => {
                let takes = self.draw.often_short(Duration::from_secs(20));
                self.dirty_later(id, takes, Does::Report(Report::Reloaded));
            }
            _ => {}
        }
    }

    /// Its main arbiter has a successor that serves: it finishes, in its own time. It
    /// hears that when it reads its lifeline.
    pub(super) fn finish_dirty(&mut self, id: DirtyId) {
        let takes = 4 * self.dirties[id].drain_takes + self.lag();
        self.dirty_later(id, takes, Does::Exit(Exit::Code(0)));
    }

    fn drain(&mut self, id: DirtyId) {
        let dirty = &mut self.dirties[id];
        if !std::mem::replace(&mut dirty.drains, true) {
            let takes = dirty.drain_takes;
            self.dirty_later(id, takes, Does::Exit(Exit::Code(0)));
        }
    }

    /// Its main arbiter has died: the kernel wakes it, and its guard counts.
    pub(super) fn orphan(&mut self, id: DirtyId) {
        let guard = patience::dirty_arbiter_is_killed(self.plan.timeouts.graceful);
        let lag = self.lag();
        self.thaw_dirty(id);
        if self.dirties[id].takes_signals {
            self.dirty_later(id, guard + lag, Does::Die(Exit::Signal(9)));
            self.signal_dirty(id, Signal::SIGTERM);
        } else {
            // It finds the end of its lifeline when it begins.
            self.dirty_later(id, lag, Does::Die(Exit::Code(1)));
        }
    }

    /// A ping arrives. All that wait are answered once it works again.
    pub(super) fn ping(&mut self, id: DirtyId) {
        let lag = self.lag();
        self.dirty_later(id, lag, Does::Report(Report::Alive));
    }

    fn freeze_dirty(&mut self, id: DirtyId, time: Duration) {
        let (now, slack) = (self.now, self.slack());
        let dirty = &mut self.dirties[id];
        dirty.frozen = true;
        dirty.is_mute_from(now, slack);
        self.dirty_later(id, time, Does::Thaw);
    }

    fn hang_dirty(&mut self, id: DirtyId, time: Option<Duration>) {
        let (now, slack) = (self.now, self.slack());
        let dirty = &mut self.dirties[id];
        dirty.hung = true;
        dirty.is_mute_from(now, slack);
        if let Some(time) = time {
            self.dirty_later(id, time, Does::Recover);
        }
    }

    pub(super) fn thaw_dirty(&mut self, id: DirtyId) {
        if std::mem::take(&mut self.dirties[id].frozen) {
            self.speak_again(id);
        }
    }

    /// Does what it owes, if nothing keeps it from it any more.
    fn speak_again(&mut self, id: DirtyId) {
        let now = self.now;
        let dirty = &mut self.dirties[id];
        if dirty.is_mute() || !dirty.is_alive {
            return;
        }
        dirty.well_since = now;
        dirty.was_mute_since = dirty.mute_since.take();
        self.systemd.forgive(now);
        let dirty = &mut self.dirties[id];
        let (deferred, signals) =
            (std::mem::take(&mut dirty.deferred), std::mem::take(&mut dirty.signals));
        for does in deferred {
            let lag = self.lag();
            self.dirty_later(id, lag, does);
        }
        for signal in signals {
            self.signal_dirty(id, signal);
        }
    }
}
