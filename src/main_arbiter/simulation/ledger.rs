//! The promises of a main arbiter, and what it owes at a moment.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::world::{Happening, Kept, MainId, World};
use crate::{
    lifeline::Report,
    main_arbiter::machine::{Action, Event, Machine, Notice, Remark},
    patience::{self, AT_ONCE, SILENCE},
    process::children::Exit,
};

/// The longest pause between two starts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a main arbiter was told, and owes.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// How often it was told to end.
    told_to_end: u32,
    /// It was told so only because a successor serves.
    gives_way: bool,
    /// It is in charge again, and has a dirty arbiter that is to end.
    has_returned: bool,
    /// Somebody wants it to end once a successor serves.
    is_to_end_then: bool,
    /// Before this time it has no reason to kill a dirty arbiter that drains.
    kill_from: Option<Duration>,
    /// By this time it has ended.
    end_by: Option<Duration>,
    /// Since when there is no dirty arbiter.
    down_since: Option<Duration>,
    /// An upgrade was begun, and whoever asked hears of it by this time.
    verdict_by: Option<Duration>,
    /// What its own dirty arbiter has reported of the apps, once it has booted.
    health: Option<Report>,
    /// What the successor has reported of them.
    successor_health: Option<Report>,
    successor_serves: bool,
    refused_at: Option<Duration>,
}

impl Ledger {
    /// Whether it was told to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.told_to_end > 0
    }

    /// What it gave way to is gone: it is in charge again.
    fn returns(&mut self) {
        (self.told_to_end, self.gives_way, self.has_returned) = (0, false, true);
        (self.kill_from, self.end_by) = (None, None);
    }

    /// For a time it was stopped: it owes everything so much later.
    pub(super) fn forgive(&mut self, time: Duration) {
        for due in [&mut self.end_by, &mut self.verdict_by, &mut self.down_since] {
            *due = due.map(|due| due + time);
        }
    }

    fn is_told_to_end(
        &mut self,
        signal: Signal,
        graceful: Duration,
        slack: Duration,
        now: Duration,
    ) {
        let is_news = std::mem::take(&mut self.gives_way);
        let again = self.told_to_end > 0 && !is_news;
        if again && signal == Signal::SIGTERM {
            return;
        }
        let quit = signal == Signal::SIGQUIT;
        let drains = !again && !quit;
        self.told_to_end = match (is_news, quit) {
            (true, false) => 1,
            (_, true) => self.told_to_end + 2,
            (false, false) => self.told_to_end + 1,
        };
        let patience = if drains { patience::dirty_arbiter_is_killed(graceful) } else { AT_ONCE };
        let sooner =
            |known: Option<Duration>, at| Some(known.map_or(at, |known: Duration| known.min(at)));
        self.kill_from = sooner(self.kill_from, now + patience);
        self.end_by = sooner(self.end_by, now + patience + slack);
    }
}

impl World {
    /// How much later than promised something may happen because nobody gets a
    /// core at once.
    pub(super) fn slack(&self) -> Duration {
        8 * self.plan.lag + Duration::from_millis(10)
    }

    /// Whether the actions keep the promises.
    pub(super) fn judge(&mut self, main: MainId, event: &Event, actions: &[Action]) -> Kept {
        self.enter(main, event);
        if let Some(at) = actions.iter().position(|action| matches!(action, Action::Exit(_)))
            && at + 1 < actions.len()
        {
            return Err("nothing is done after Exit");
        }
        for action in actions {
            self.judge_action(main, action)?;
        }
        if !wakes(actions) {
            return Err("a stopped process is woken to be told to end");
        }
        let first = actions.first();
        let is_swept = match event {
            Event::DirtyExited(_) => first == Some(&Action::Sweep { all: true }),
            Event::Report(Report::WorkerDied) | Event::StrayEnded => {
                first == Some(&Action::Sweep { all: false })
                    || self.mains[main].dirty.is_none() && first.is_none()
            }
            _ => true,
        };
        if !is_swept {
            return Err("what a process left behind is swept up first");
        }
        let failed = actions.iter().any(|action| matches!(action, Action::Upgraded(Err(_))));
        let harms = |action: &Action| {
            matches!(action, Action::Signal(_) | Action::CloseSocket | Action::Exit(_))
        };
        // One that is stuck is killed, whatever else fails at the same time.
        let is_stuck = |action: &Action| matches!(action, Action::Log(Remark::Silent(_)));
        let failed = failed && !actions.iter().any(is_stuck);
        if failed && !self.mains[main].is_stopping() && actions.iter().any(harms) {
            return Err("an upgrade that fails leaves the old one serving");
        }
        Ok(())
    }

    /// Notes what an event obliges to.
    fn enter(&mut self, main: MainId, event: &Event) {
        let (now, slack, graceful) = (self.now, self.slack(), self.plan.timeouts.graceful);
        let ledger = &mut self.mains[main].ledger;
        match event {
            Event::Signal(signal @ (Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT)) => {
                ledger.is_told_to_end(*signal, graceful, slack, now);
                self.expect_end(main);
            }
            Event::UpgradeAndEnd => {
                ledger.is_to_end_then |= !ledger.is_stopping();
                if ledger.successor_serves {
                    self.gives_way(main);
                }
            }
            Event::Report(report @ (Report::Ready | Report::Degraded)) => {
                ledger.health = Some(*report);
            }
            Event::SuccessorReport(report @ (Report::Ready | Report::Degraded)) => {
                ledger.successor_health = Some(*report);
            }
            Event::SuccessorReport(Report::Stopping) if ledger.gives_way => {
                ledger.is_told_to_end(Signal::SIGTERM, graceful, slack, now);
                self.expect_end(main);
            }
            Event::DirtyExited(_) => (ledger.health, ledger.has_returned) = (None, false),
            Event::SuccessorExited(exit) => {
                ledger.successor_serves = false;
                if ledger.gives_way && *exit != Exit::Code(0) {
                    ledger.returns();
                }
            }
            _ => {}
        }
    }

    /// A successor serves; the end of the old one begins, if that was asked for.
    fn gives_way(&mut self, main: MainId) {
        let ledger = &mut self.mains[main].ledger;
        if std::mem::take(&mut ledger.is_to_end_then) && !ledger.is_stopping() {
            (ledger.told_to_end, ledger.gives_way) = (1, true);
        }
    }

    /// Looks again when it should have ended.
    pub(super) fn expect_end(&mut self, main: MainId) {
        if let Some(end_by) = self.mains[main].ledger.end_by {
            self.later(end_by.saturating_sub(self.now), Happening::Late(main));
        }
    }

    /// Whether a main arbiter that was told to end is late.
    pub(super) fn look_for_late(&self, main: MainId) -> Kept {
        let process = &self.mains[main];
        let is_late = process.ledger.end_by.is_some_and(|by| by <= self.now);
        if process.is_alive && !process.frozen && is_late {
            return Err("TERM ends the process within graceful_timeout and its overhead");
        }
        Ok(())
    }

    fn judge_action(&mut self, main: MainId, action: &Action) -> Kept {
        if *action == Action::AdmitSuccessor {
            self.gives_way(main);
        }
        let (now, slack) = (self.now, self.slack());
        let verdict_by = now + self.plan.timeouts.upgrade + slack;
        let process = &mut self.mains[main];
        let ledger = &mut process.ledger;
        let stops = ledger.is_stopping();
        let broken = match action {
            Action::Start | Action::StartSuccessor if stops || !process.socket_is_open => {
                Some("nothing is started at the end, without a socket to listen on")
            }
            Action::Start => {
                ledger.down_since = None;
                process.dirty.map(|_| "a dirty arbiter is never started twice")
            }
            Action::StartSuccessor => {
                let broken = process.successor.map(|_| "there is one successor at a time");
                ledger.verdict_by = Some(verdict_by);
                (ledger.successor_health, ledger.successor_serves) = (None, false);
                ledger.refused_at = None;
                broken
            }
            Action::Upgraded(result) => {
                ledger.is_to_end_then &= result.is_ok();
                let expected = ledger.verdict_by.take().is_some();
                let repeated = result.is_ok() && ledger.successor_serves;
                (!expected && !repeated).then_some("an upgrade has one outcome")
            }
            Action::AdmitSuccessor => {
                ledger.successor_serves = true;
                let can_serve = match ledger.successor_health {
                    Some(Report::Ready) => true,
                    Some(_) => ledger.health != Some(Report::Ready),
                    None => false,
                };
                (!can_serve).then_some("only who can serve what the old one serves is admitted")
            }
            Action::SignalSuccessor(Signal::SIGTERM) => {
                ledger.refused_at = Some(now);
                ledger.successor_serves.then_some("a successor that serves is left alone")
            }
            Action::TakeName => self.judge_name(main),
            Action::Signal(signal) => self.judge_signal(main, *signal),
            Action::SignalSuccessor(Signal::SIGKILL) => {
                let since = ledger.refused_at.unwrap_or(now);
                let patience = patience::successor_is_killed(self.plan.timeouts.graceful);
                (now < since + patience).then_some("a refused successor has time to end")
            }
            Action::Exit(_) if process.dirty.is_some() => {
                Some("nobody exits before its dirty arbiter")
            }
            Action::Exit(_) => {
                let keeps = process.successor.is_some()
                    && !ledger.successor_serves
                    && ledger.refused_at.is_none();
                if stops && keeps {
                    Some("a successor that does not serve ends with the old one")
                } else {
                    let may = stops || !process.is_admitted();
                    (!may).then_some("whoever serves ends only when told to")
                }
            }
            Action::Notify(Notice::Ready | Notice::Degraded | Notice::Restarting) => {
                stops.then_some("systemd hears of nothing new after Stopping")
            }
            _ => None,
        };
        broken.map_or(Ok(()), Err)
    }

    fn judge_name(&self, main: MainId) -> Option<&'static str> {
        let taken = self.mains.iter().any(|other| other.is_named);
        let waits = self.mains[main].predecessor.is_some();
        (taken || waits).then_some("one main arbiter has the name at a time")
    }

    /// Whether the dirty arbiter may be told that now.
    fn judge_signal(&self, main: MainId, signal: Signal) -> Option<&'static str> {
        let process = &self.mains[main];
        let told = process.ledger.told_to_end;
        match signal {
            Signal::SIGTERM
                if (told == 0 || process.ledger.gives_way) && !process.ledger.has_returned =>
            {
                Some("nobody drains who was not told to")
            }
            Signal::SIGQUIT if told < 2 => Some("one TERM never ends at once"),
            Signal::SIGKILL => {
                let dirty = &self.dirties[process.dirty?];
                let overdue = process.ledger.kill_from.is_some_and(|from| from <= self.now);
                let silent =
                    dirty.mute_since.is_some_and(|at| self.now - at + self.slack() >= SILENCE);
                // Its answer is on the way.
                let just_well = self.now - dirty.well_since <= self.slack();
                let is_wrong = !overdue
                    && (process.is_stopping() && !process.ledger.gives_way
                        || !silent && !just_well);
                is_wrong.then_some("only who is overdue or silent is killed")
            }
            _ => None,
        }
    }

    /// Whether a main arbiter that goes back to sleep has done what it owes.
    pub(super) fn judge_rest(&mut self, main: MainId) -> Kept {
        let (now, slack) = (self.now, self.slack());
        let process = &mut self.mains[main];
        let ledger = &mut process.ledger;
        if ledger.verdict_by.is_some_and(|by| by < now) {
            return Err("whoever asks for an upgrade hears how it ends, in time");
        }
        match process.dirty {
            Some(_) => ledger.down_since = None,
            None => {
                let since = *ledger.down_since.get_or_insert(now);
                if !ledger.is_stopping() && now - since.min(now) > LONGEST_PAUSE + slack {
                    return Err("a dirty arbiter that is down and wanted is started soon");
                }
            }
        }
        let process = &self.mains[main];
        let may_listen = process.is_admitted();
        let listens = process.dirty.map(|dirty| self.dirties[dirty].is_admitted);
        if listens == Some(true) && !may_listen {
            return Err("who is not admitted takes no connection");
        }
        if listens == Some(false) && may_listen && !process.is_stopping() {
            return Err("whoever is admitted listens");
        }
        let admits =
            |old: MainId| !self.mains[old].is_alive || self.mains[old].ledger.successor_serves;
        if may_listen && !process.predecessor.is_none_or(admits) {
            return Err("only the old one admits the new one");
        }
        Ok(())
    }

    /// Whether everything has come to a good end once nothing fails any more.
    pub(super) fn at_rest(&self) -> Kept {
        let alive = || self.mains.iter().filter(|main| main.is_alive);
        let begun = || alive().filter(|main| main.machine.is_some());
        if alive().any(|main| main.is_stopping()) {
            return Err("TERM ends the process");
        }
        let forsaken = |old: MainId| !self.mains[old].is_alive;
        if alive().any(|main| main.machine.is_none() && !main.predecessor.is_some_and(forsaken)) {
            return Err("a successor that does not come up is ended");
        }
        if begun().next().is_some() && begun().filter(|main| main.is_named).count() != 1 {
            return Err("one of old and new has the name in the end");
        }
        let succeeded =
            begun().filter(|main| main.machine.as_ref().is_some_and(Machine::is_succeeded));
        if begun().count() != succeeded.count() + begun().count().min(1) {
            return Err("old and new both stay only if both serve");
        }
        let serves = |main: &super::main_process::MainProcess| {
            main.dirty.is_some_and(|dirty| self.dirties[dirty].serves())
        };
        if !begun().all(serves) {
            return Err("in the end whoever lives serves");
        }
        if self.dirties.iter().any(|dirty| dirty.is_alive && !self.mains[dirty.main].is_alive) {
            return Err("no dirty arbiter outlives its main arbiter for long");
        }
        Ok(())
    }
}

/// Whether each signal to end is followed by the one that a stopped process takes.
fn wakes(actions: &[Action]) -> bool {
    let is_end = |signal: &Signal| matches!(signal, Signal::SIGTERM | Signal::SIGQUIT);
    actions.iter().enumerate().all(|(at, action)| match action {
        Action::Signal(signal) if is_end(signal) => {
            actions[at..].contains(&Action::Signal(Signal::SIGCONT))
        }
        Action::SignalSuccessor(signal) if is_end(signal) => {
            actions[at..].contains(&Action::SignalSuccessor(Signal::SIGCONT))
        }
        _ => true,
    })
}
