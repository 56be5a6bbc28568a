//! What the main arbiter decides. Pure: events and the time go in, actions come
//! out; it starts nothing, reads nothing, logs nothing and waits for nothing.
//!
//! ```text
//!   Life      the dirty arbiter: down, booting, serving (with Liveness, Pauses)
//!   Stopping  the end of this process
//!   Upgrade   a successor that this one has started
//!   Standing  the main arbiter that has started this one as its successor
//! ```
//!
//! Each of them decides about its own; what concerns two of them is here.

mod action;
mod event;
mod life;
mod liveness;
mod pauses;
mod remark;
mod standing;
mod stopping;
mod timeouts;
mod upgrade;
mod upgrade_remark;

use std::time::Instant;

use nix::sys::signal::Signal;

pub use action::{Action, Notice};
pub use event::Event;
pub use remark::{Level, Remark};
pub use standing::Standing;
pub use timeouts::Timeouts;

use life::{Health, Life};
use liveness::Beat;
use stopping::Stopping;
use upgrade::Upgrade;
use upgrade_remark::UpgradeRemark;

use crate::{clock::Deadline, lifeline::Report, patience, process::children::Exit};

/// The state of the main arbiter.
#[derive(Debug)]
pub struct Machine {
    timeouts: Timeouts,
    life: Life,
    stopping: Option<Stopping>,
    upgrade: Upgrade,
    standing: Standing,
    reloading: bool,
    /// Calls that were ended because they went on for too long.
    cut_off: u32,
}

impl Machine {
    /// A machine that starts its dirty arbiter at the first [`Event::Alarm`].
    pub fn new(timeouts: Timeouts, standing: Standing, now: Instant) -> Self {
        Self {
            timeouts,
            life: Life::begin(timeouts.beat(), now),
            stopping: None,
            upgrade: Upgrade::none(timeouts),
            standing,
            reloading: false,
            cut_off: 0,
        }
    }

    /// Whether a successor serves that this process must not outlive as the owner
    /// of names and socket.
    pub fn is_succeeded(&self) -> bool {
        self.upgrade.serves()
    }

    /// Whether this process ends because that successor serves.
    pub fn gives_way(&self) -> bool {
        self.upgrade.takes_over()
    }

    /// How many calls were ended for that since it gave way.
    pub fn cut_off(&self) -> u32 {
        self.cut_off
    }

    /// Whether the dirty arbiter may take connections as soon as it is up.
    pub fn is_admitted(&self) -> bool {
        self.standing.is_admitted()
    }

    /// When the next [`Event::Alarm`] is due.
    pub fn due(&self) -> Deadline {
        let stopping = self.stopping.as_ref().map_or(Deadline::Never, Stopping::due);
        self.life.due().min(stopping).min(self.upgrade.due())
    }

    /// Takes an event; returns what to do, in this order.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Signal(signal) => self.on_signal(signal, now),
            Event::Report(report) => self.on_report(report),
            Event::DirtyExited(exit) => self.on_exit(exit, now),
            Event::StartFailed => self.on_start_failed(now),
            Event::UpgradeAndEnd => self.upgrade_and_end(now),
            Event::SuccessorReport(report) => self.on_successor_report(report, now),
            Event::SuccessorExited(exit) => self.on_successor_exit(exit, now),
            Event::SuccessorNotStarted(why) => self.upgrade.on_not_started(why),
            Event::Admitted => self.on_admitted(),
            Event::PredecessorLeaves => self.on_predecessor_leaves(),
            Event::PredecessorGone => self.on_predecessor_gone(),
            Event::StrayEnded => vec![Action::Sweep { all: false }],
            Event::Alarm => self.on_alarm(now),
        }
    }

    fn on_signal(&mut self, signal: Signal, now: Instant) -> Vec<Action> {
        match signal {
            Signal::SIGTERM | Signal::SIGINT if self.stopping.is_none() => {
                let remark = Remark::Draining(signal, self.timeouts.graceful);
                self.stop(false, remark, now)
            }
            Signal::SIGTERM | Signal::SIGINT if self.hastens(now) => {
                let remark = Remark::Draining(signal, self.timeouts.graceful);
                let mut actions = vec![Action::Log(remark)];
                actions.extend(self.end_dirty(Signal::SIGTERM));
                actions
            }
            // It may come from several who do not know of each other; a second INT is
            // somebody's who waits at a terminal.
            Signal::SIGTERM => vec![Action::Log(Remark::DrainsAlready(signal))],
            Signal::SIGINT | Signal::SIGQUIT => self.stop(true, Remark::EndingAtOnce(signal), now),
            _ if self.stopping.is_some() => Vec::new(),
            Signal::SIGHUP => self.reload(),
            Signal::SIGUSR1 => {
                let mut actions = vec![Action::ReopenLog];
                actions.extend(self.pass_on(signal));
                actions
            }
            Signal::SIGUSR2 => self.upgrade(false, now),
            Signal::SIGTTIN | Signal::SIGTTOU => self.pass_on(signal),
            _ => Vec::new(),
        }
    }

    /// If this process gives way, then it now has `graceful_timeout` for that.
    fn hastens(&mut self, now: Instant) -> bool {
        let kill_at = self.timeouts.drained_by(now);
        self.stopping.as_mut().is_some_and(|stopping| stopping.is_asked_for(kill_at))
    }

    fn upgrade(&mut self, then_end: bool, now: Instant) -> Vec<Action> {
        if self.standing.has_predecessor() {
            return vec![Action::Log(Remark::Upgrade(UpgradeRemark::StillNew))];
        }
        self.upgrade.begin(then_end, now)
    }

    fn upgrade_and_end(&mut self, now: Instant) -> Vec<Action> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        let mut actions = self.upgrade(true, now);
        actions.extend(self.give_way());
        actions
    }

    fn on_successor_report(&mut self, report: Report, now: Instant) -> Vec<Action> {
        if report == Report::Stopping && self.hastens(now) {
            let mut actions = vec![Action::Log(Remark::SuccessorStops(self.timeouts.graceful))];
            actions.extend(self.end_dirty(Signal::SIGTERM));
            return actions;
        }
        let Some(health) = health(report) else { return Vec::new() };
        let mut actions = self.upgrade.on_health(health, self.life.health(), now);
        actions.extend(self.give_way());
        actions
    }

    /// Ends this process once the successor serves, if that was asked for. The socket
    /// stays open: should the successor die meanwhile, callers wait for this one.
    fn give_way(&mut self) -> Vec<Action> {
        if !self.upgrade.takes_over() || self.stopping.is_some() {
            return Vec::new();
        }
        self.stopping = Some(Stopping::give_way());
        self.cut_off = 0;
        // The service goes on, so systemd hears nothing of it.
        if !self.life.is_up() {
            return vec![Action::Exit(0)];
        }
        vec![Action::GiveWay, Action::Signal(Signal::SIGCONT), Action::TellSuccessor]
    }

    /// If this one was giving way, and the successor was not told to end, then this
    /// one is in charge again.
    fn on_successor_exit(&mut self, exit: Exit, now: Instant) -> Vec<Action> {
        let mut actions = self.upgrade.on_exit(exit, now);
        if exit != Exit::Code(0) && self.stopping.as_ref().is_some_and(Stopping::gives_way) {
            self.stopping = None;
            self.life.matters_again();
            actions
                .extend([Action::Log(Remark::Returning(exit)), Action::Notify(Notice::Restarting)]);
            // Callers wait until the next one can start.
            if self.life.is_up() {
                actions.extend(self.end_dirty(Signal::SIGTERM));
            }
        }
        actions
    }

    fn pass_on(&self, signal: Signal) -> Vec<Action> {
        if self.life.is_up() {
            vec![Action::Signal(signal)]
        } else {
            vec![Action::Log(Remark::NotPassedOn(signal))]
        }
    }

    fn reload(&mut self) -> Vec<Action> {
        self.reloading = self.life.is_up();
        let mut actions = vec![Action::Log(Remark::Reloading), Action::Notify(Notice::Reloading)];
        actions.extend(self.pass_on(Signal::SIGHUP));
        if !self.reloading {
            // systemd waits for the end of what was never begun.
            actions.push(Action::Notify(self.notice()));
        }
        actions
    }

    fn stop(&mut self, at_once: bool, remark: Remark, now: Instant) -> Vec<Action> {
        let mut actions = vec![Action::Log(remark)];
        let ends_at_once = Deadline::after(now, patience::AT_ONCE);
        match &mut self.stopping {
            Some(stopping) => stopping.hasten(ends_at_once),
            None => {
                let drained = self.timeouts.drained_by(now);
                let kill_at = if at_once { ends_at_once } else { drained };
                self.stopping = Some(Stopping::begin(at_once, kill_at));
                actions.extend([Action::Notify(Notice::Stopping), Action::CloseSocket]);
                actions.extend(self.upgrade.on_stop(now));
                if self.standing.has_predecessor() {
                    actions.push(Action::TellPredecessor(Report::Stopping));
                }
            }
        }
        actions.extend(self.end_dirty(if at_once { Signal::SIGQUIT } else { Signal::SIGTERM }));
        actions
    }

    /// Returns what ends the dirty arbiter; this process ends after it.
    fn end_dirty(&self, signal: Signal) -> Vec<Action> {
        if !self.life.is_up() {
            return vec![Action::Exit(0)];
        }
        // A stopped process takes no signal but CONT.
        vec![Action::Signal(signal), Action::Signal(Signal::SIGCONT)]
    }

    fn on_report(&mut self, report: Report) -> Vec<Action> {
        if !self.life.heard() {
            return Vec::new();
        }
        match report {
            Report::Ready => self.on_health(report, Health::Whole),
            Report::Degraded => self.on_health(report, Health::Degraded),
            Report::Reloaded => {
                let was = std::mem::take(&mut self.reloading);
                if was && self.stopping.is_none() {
                    return vec![Action::Notify(self.notice())];
                }
                Vec::new()
            }
            Report::WorkerDied => vec![Action::Sweep { all: false }],
            Report::Alive => self.tell_watchdog(),
            Report::CutOff => {
                self.cut_off += 1;
                Vec::new()
            }
            Report::Stopping => Vec::new(),
        }
    }

    fn on_health(&mut self, report: Report, health: Health) -> Vec<Action> {
        let has_just_booted = self.life.serves(health);
        if self.stopping.is_some() {
            Vec::new()
        } else if has_just_booted && self.standing.has_predecessor() {
            vec![Action::TellPredecessor(report)]
        } else if self.is_main() && !self.reloading {
            vec![Action::Notify(self.notice())]
        } else {
            Vec::new()
        }
    }

    /// Whether systemd takes this process for the main one.
    fn is_main(&self) -> bool {
        !self.standing.has_predecessor() && !self.upgrade.serves()
    }

    fn notice(&self) -> Notice {
        match self.life.health() {
            Some(Health::Whole) => Notice::Ready,
            Some(Health::Degraded) | None => Notice::Degraded,
        }
    }

    /// The watchdog is for what hangs. A dirty arbiter that boots for long
    /// answers, and one that keeps dying is replaced by this process, which is
    /// alive: neither is a reason to end the service.
    fn tell_watchdog(&self) -> Vec<Action> {
        self.timeouts.watchdog.map(|_| Action::Notify(Notice::Watchdog)).into_iter().collect()
    }

    fn on_exit(&mut self, exit: Exit, now: Instant) -> Vec<Action> {
        let Some(ended) = self.life.ended(now) else { return Vec::new() };
        let mut actions = vec![Action::Sweep { all: true }];
        if let Some(stopping) = &mut self.stopping {
            let code = stopping.exit_code(exit);
            actions.push(Action::Log(Remark::Ended(exit)));
            // A service manager kills what is left of the service with this process.
            match self.standing {
                Standing::After if stopping.may_wait() => stopping.wait_to_exit(code),
                _ => actions.push(Action::Exit(code)),
            }
            return actions;
        }
        if !self.is_admitted() && !ended.was_ready {
            actions.extend([Action::Log(Remark::GivingUp(exit)), Action::Exit(1)]);
            return actions;
        }
        let pause = self.life.start_again(ended, now);
        actions.push(Action::Log(Remark::Died(exit, pause)));
        self.reloading = false;
        if self.is_main() {
            actions.push(Action::Notify(Notice::Restarting));
        }
        actions.extend(self.start_if_due(now));
        actions
    }

    fn on_start_failed(&mut self, now: Instant) -> Vec<Action> {
        let Some(ended) = self.life.ended(now) else { return Vec::new() };
        if !self.is_admitted() {
            return vec![Action::Exit(1)];
        }
        let pause = self.life.start_again(ended, now);
        // The beat of this moment may have asked it, and it will not answer.
        let mut actions = self.tell_watchdog();
        actions.push(Action::Log(Remark::NextTry(pause)));
        actions
    }

    fn start_if_due(&mut self, now: Instant) -> Option<Action> {
        self.life.start_if_due(now).then_some(Action::Start)
    }

    fn on_alarm(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::from_iter(self.start_if_due(now));
        match self.life.beat(now) {
            Beat::No => {}
            Beat::NobodyToAsk => actions.extend(self.tell_watchdog()),
            // One that drains is killed for that, and not before its time.
            Beat::Silent if self.stopping.as_ref().is_none_or(Stopping::gives_way) => actions
                .extend([
                    Action::Log(Remark::Silent(patience::SILENCE)),
                    Action::Signal(Signal::SIGKILL),
                ]),
            Beat::Ask | Beat::Silent => actions.push(Action::Ping),
        }
        if let Some(stopping) = &mut self.stopping
            && stopping.kill_if_due(now)
        {
            if let Some(code) = stopping.waiting_to_exit() {
                actions.push(Action::Exit(code));
                return actions;
            }
            actions.extend([Action::Log(Remark::Overdue), Action::Signal(Signal::SIGKILL)]);
        }
        actions.extend(self.upgrade.on_alarm(now));
        actions
    }

    fn on_admitted(&mut self) -> Vec<Action> {
        match self.standing {
            Standing::Waiting => {
                self.standing = Standing::Beside;
                self.admit()
            }
            Standing::Beside | Standing::After | Standing::Alone => Vec::new(),
        }
    }

    fn on_predecessor_leaves(&mut self) -> Vec<Action> {
        let before = std::mem::replace(&mut self.standing, Standing::After);
        if before == Standing::Waiting { self.admit() } else { Vec::new() }
    }

    /// Lets a dirty arbiter that was started too early for it take connections.
    fn admit(&self) -> Vec<Action> {
        if self.life.is_up() && self.stopping.is_none() { vec![Action::Admit] } else { Vec::new() }
    }

    fn on_predecessor_gone(&mut self) -> Vec<Action> {
        let before = std::mem::replace(&mut self.standing, Standing::Alone);
        let mut actions = match before {
            Standing::Alone => return Vec::new(),
            Standing::Waiting => self.admit(),
            Standing::Beside | Standing::After => Vec::new(),
        };
        actions.extend([Action::Log(Remark::TakingOver), Action::TakeName]);
        if let Some(code) = self.stopping.as_ref().and_then(Stopping::waiting_to_exit) {
            actions.push(Action::Exit(code));
            return actions;
        }
        if self.life.health().is_some() && self.stopping.is_none() {
            actions.push(Action::Notify(self.notice()));
        }
        actions
    }
}

/// What a report says of the apps, if it does.
fn health(report: Report) -> Option<Health> {
    match report {
        Report::Ready => Some(Health::Whole),
        Report::Degraded => Some(Health::Degraded),
        Report::Reloaded
        | Report::WorkerDied
        | Report::Alive
        | Report::CutOff
        | Report::Stopping => None,
    }
}

#[cfg(test)]
mod tests;
