//! The simulated reactor: a main arbiter takes events and carries out actions in
//! the order in which the real one does.

use nix::sys::signal::Signal;

use super::{
    main_process::MainProcess,
    world::{Happening, Kept, MainId, World},
};
use crate::{
    clock::Deadline,
    lifeline::Report,
    main_arbiter::machine::{Action, Event, Machine, Notice},
    process::children::Exit,
};

impl World {
    /// A main arbiter has a core.
    pub(super) fn wake(&mut self, main: MainId) -> Kept {
        let (now, time) = (self.now, self.instant());
        let predecessor = self.mains[main].predecessor;
        let predecessor_lives = predecessor.is_some_and(|old| self.mains[old].is_alive);
        let process = &mut self.mains[main];
        if process.wakes_at != Some(now) || process.frozen || !process.is_alive {
            return Ok(());
        }
        process.wakes_at = None;
        let Some(machine) = &process.machine else { return Ok(()) };
        let is_due = machine.due().is_over(time);
        let mut events = process.events(&mut self.draw, predecessor_lives);
        events.extend(is_due.then_some(Event::Alarm));
        events.reverse();
        while let Some(event) = events.pop() {
            self.stats.events += 1;
            let Some(machine) = &mut self.mains[main].machine else { return Ok(()) };
            let actions = machine.on(event.clone(), time);
            if !is_pulse(&event, &actions) {
                self.tell(|| told(main, &event, &actions));
            }
            self.judge(main, &event, &actions)?;
            for action in actions {
                if let Action::Exit(code) = action {
                    self.main_dies(main, Exit::Code(code.into()));
                    return Ok(());
                }
                events.extend(self.perform(main, action));
            }
        }
        self.judge_rest(main)?;
        let due = self.mains[main].machine.as_ref().map_or(Deadline::Never, Machine::due);
        if let Some(due) = due.instant() {
            let after = due.saturating_duration_since(time) + self.lag();
            self.wake_after(main, after);
        }
        Ok(())
    }

    /// Does what a machine decided. Returns what became of it.
    fn perform(&mut self, main: MainId, action: Action) -> Option<Event> {
        let process = &mut self.mains[main];
        let (dirty, successor) = (process.dirty, process.successor);
        match action {
            Action::Start => {
                let is_admitted = process.is_admitted();
                if self.fails() {
                    return Some(Event::StartFailed);
                }
                self.mains[main].dirty = Some(self.start_dirty(main, is_admitted));
            }
            Action::Signal(signal) => {
                self.stats.kills += u64::from(signal == Signal::SIGKILL);
                dirty.into_iter().for_each(|dirty| self.signal_dirty(dirty, signal));
            }
            Action::Ping => dirty.into_iter().for_each(|dirty| self.ping(dirty)),
            Action::Admit => {
                dirty.into_iter().for_each(|dirty| self.dirties[dirty].is_admitted = true);
            }
            Action::GiveWay => dirty.into_iter().for_each(|dirty| self.finish_dirty(dirty)),
            Action::TellSuccessor => {
                if let Some(new) = successor {
                    self.mains[new].was_left = true;
                    self.poke(new);
                }
            }
            Action::CloseSocket => process.socket_is_open = false,
            Action::StartSuccessor => return self.start_successor(main),
            Action::SignalSuccessor(signal) => {
                self.stats.kills += u64::from(signal == Signal::SIGKILL);
                successor.into_iter().for_each(|new| self.signal_main(new, signal));
            }
            Action::AdmitSuccessor => {
                if let Some(new) = successor {
                    self.mains[new].was_admitted = true;
                    self.poke(new);
                }
            }
            Action::Upgraded(result) => {
                self.stats.upgraded += u64::from(result.is_ok());
                let asked = std::mem::take(&mut self.mains[main].is_upgraded_by_command);
                if asked && result.is_ok() && successor.is_some() {
                    let lag = self.lag();
                    self.later(lag, Happening::Finish(main));
                }
            }
            Action::TellPredecessor(report) => {
                if let Some(old) = process.predecessor.filter(|old| self.mains[*old].is_alive) {
                    self.mains[old].successor_reports.push(report);
                    self.poke(old);
                }
            }
            Action::TakeName => process.is_named = true,
            Action::Notify(notice) => self.notify(main, notice),
            Action::SuccessorLost(_)
            | Action::Sweep { .. }
            | Action::Log(_)
            | Action::ReopenLog
            | Action::Exit(_) => {}
        }
        None
    }

    fn start_successor(&mut self, main: MainId) -> Option<Event> {
        self.stats.upgrades += 1;
        let fails = self.fails().then(|| self.draw.below(3));
        if fails == Some(0) {
            return Some(Event::SuccessorNotStarted("no such file".to_owned()));
        }
        let new = self.mains.len();
        self.mains.push(MainProcess::started_by(Some(main)));
        self.mains[main].successor = Some(new);
        let begins = 3 * self.lag();
        match fails {
            Some(1) => self.later(begins, Happening::Gone(new, Exit::Code(2))),
            Some(_) => self.tell(|| format!("main {new} hangs before it begins")),
            None => self.later(begins, Happening::Begin(new)),
        }
        None
    }
}

/// Whether it is nothing but a heartbeat, of which a story has too many.
fn is_pulse(event: &Event, actions: &[Action]) -> bool {
    matches!(event, Event::Alarm | Event::Report(Report::Alive))
        && actions
            .iter()
            .all(|action| matches!(action, Action::Ping | Action::Notify(Notice::Watchdog)))
}

/// A line of the trace.
fn told(main: MainId, event: &Event, actions: &[Action]) -> String {
    let actions: Vec<String> = actions
        .iter()
        .map(|action| match action {
            Action::Log(remark) => format!("\"{remark}\""),
            action => format!("{action:?}"),
        })
        .collect();
    format!("main {main}: {event:?} -> {}", actions.join(", "))
}
