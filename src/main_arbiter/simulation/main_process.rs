//! A simulated main arbiter: a real machine, with what the kernel holds for it.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{
    draw::Draw,
    ledger::Ledger,
    world::{DirtyId, Happening, MainId, World},
};
use crate::{
    lifeline::Report,
    main_arbiter::machine::{Event, Machine, Standing},
    process::children::Exit,
};

/// A child that has ended and is not reaped.
#[derive(Debug)]
enum Dead {
    Dirty(Exit),
    Successor(Exit),
    Stray,
}

/// The process.
#[derive(Debug)]
pub(super) struct MainProcess {
    /// There once its binary has started.
    pub(super) machine: Option<Machine>,
    pub(super) is_alive: bool,
    pub(super) frozen: bool,
    /// It has the plain name.
    pub(super) is_named: bool,
    /// `dirtyd upgrade` waits for its word.
    pub(super) is_upgraded_by_command: bool,
    pub(super) socket_is_open: bool,
    pub(super) dirty: Option<DirtyId>,
    pub(super) successor: Option<MainId>,
    /// The one that it is to succeed, until it has noticed that this is gone.
    pub(super) predecessor: Option<MainId>,
    pub(super) ledger: Ledger,
    frozen_since: Duration,
    /// Who started it, and adopts what it leaves.
    parent: Option<MainId>,
    /// When it gets a core next, if something waits for it.
    pub(super) wakes_at: Option<Duration>,
    /// Its predecessor's word is on the way.
    pub(super) was_admitted: bool,
    pub(super) was_left: bool,
    reports: Vec<Report>,
    pub(super) successor_reports: Vec<Report>,
    signals: Vec<Signal>,
    /// The USR2 that waits came with the value of `dirtyd upgrade`.
    is_to_end_then: bool,
    dead: Vec<Dead>,
}

impl MainProcess {
    /// The one that the operator has started.
    pub(super) fn first() -> Self {
        Self::started_by(None)
    }

    /// A successor, or the first one.
    pub(super) fn started_by(parent: Option<MainId>) -> Self {
        Self {
            machine: None,
            is_alive: true,
            frozen: false,
            is_named: parent.is_none(),
            is_upgraded_by_command: false,
            socket_is_open: true,
            dirty: None,
            successor: None,
            predecessor: parent,
            ledger: Ledger::default(),
            frozen_since: Duration::ZERO,
            parent,
            wakes_at: None,
            was_admitted: false,
            was_left: false,
            reports: Vec::new(),
            successor_reports: Vec::new(),
            signals: Vec::new(),
            is_to_end_then: false,
            dead: Vec::new(),
        }
    }

    /// Whether it was told to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.ledger.is_stopping()
    }

    /// Whether its machine lets callers come.
    pub(super) fn is_admitted(&self) -> bool {
        self.machine.as_ref().is_some_and(Machine::is_admitted)
    }

    /// What has come, in the order in which the reactor looks at it.
    pub(super) fn events(&mut self, draw: &mut Draw, predecessor_lives: bool) -> Vec<Event> {
        let mut events: Vec<Event> = self.reports.drain(..).map(Event::Report).collect();
        events.extend(self.successor_reports.drain(..).map(Event::SuccessorReport));
        draw.shuffle(&mut self.signals);
        let then_ends = std::mem::take(&mut self.is_to_end_then);
        events.extend(self.signals.drain(..).map(|signal| match signal {
            Signal::SIGUSR2 if then_ends => Event::UpgradeAndEnd,
            signal => Event::Signal(signal),
        }));
        draw.shuffle(&mut self.dead);
        self.dead.sort_by_key(|dead| !matches!(dead, Dead::Successor(_)));
        for dead in self.dead.drain(..) {
            events.push(match dead {
                Dead::Dirty(exit) => {
                    self.dirty = None;
                    Event::DirtyExited(exit)
                }
                Dead::Successor(exit) => {
                    self.successor = None;
                    Event::SuccessorExited(exit)
                }
                Dead::Stray => Event::StrayEnded,
            });
        }
        if std::mem::take(&mut self.was_admitted) {
            events.push(Event::Admitted);
        }
        if std::mem::take(&mut self.was_left) {
            events.push(Event::PredecessorLeaves);
        }
        if self.predecessor.is_some() && !predecessor_lives {
            self.predecessor = None;
            events.push(Event::PredecessorGone);
        }
        events
    }
}

impl World {
    /// The binary of a main arbiter has started.
    pub(super) fn begin(&mut self, main: MainId, standing: Standing) {
        let machine = Machine::new(self.plan.timeouts, standing, self.instant());
        if self.mains[main].is_alive {
            self.mains[main].machine = Some(machine);
            self.poke(main);
        }
    }

    /// A main arbiter has something to look at, as soon as it gets a core.
    pub(super) fn poke(&mut self, main: MainId) {
        let after = self.lag();
        self.wake_after(main, after);
    }

    pub(super) fn wake_after(&mut self, main: MainId, after: Duration) {
        let at = self.now + after;
        let process = &mut self.mains[main];
        if process.wakes_at.is_none_or(|known| at < known) {
            process.wakes_at = Some(at);
            self.later(after, Happening::Wake(main));
        }
    }

    /// A dirty arbiter reports to its main arbiter.
    pub(super) fn report(&mut self, main: MainId, report: Report) {
        if self.mains[main].is_alive {
            self.mains[main].reports.push(report);
            self.poke(main);
        }
    }

    /// A dirty arbiter has ended; its main arbiter reaps it, or who adopted it.
    pub(super) fn bury_dirty(&mut self, id: DirtyId, exit: Exit) {
        let main = self.dirties[id].main;
        if self.mains[main].is_alive {
            self.leave(main, Dead::Dirty(exit));
        } else if let Some(adopter) = self.mains[main].parent {
            self.leave(adopter, Dead::Stray);
        }
    }

    fn leave(&mut self, main: MainId, dead: Dead) {
        if self.mains[main].is_alive {
            self.mains[main].dead.push(dead);
            self.poke(main);
        }
    }

    /// A signal arrives at a main arbiter.
    pub(super) fn signal_main(&mut self, main: MainId, signal: Signal) {
        let process = &mut self.mains[main];
        match signal {
            _ if !process.is_alive => {}
            Signal::SIGKILL => self.later(Duration::ZERO, Happening::Gone(main, Exit::Signal(9))),
            Signal::SIGCONT => self.thaw_main(main),
            _ if process.machine.is_none() => {
                let exit = Exit::Signal(signal as i32);
                self.later(Duration::ZERO, Happening::Gone(main, exit));
            }
            _ => {
                // The kernel holds one of a kind.
                if !process.signals.contains(&signal) {
                    process.signals.push(signal);
                }
                self.poke(main);
            }
        }
    }

    /// `dirtyd upgrade` signals a main arbiter. The value is lost if another USR2
    /// waits.
    pub(super) fn ask_for_upgrade(&mut self, main: MainId) {
        let process = &mut self.mains[main];
        if process.is_alive && process.machine.is_some() {
            process.is_to_end_then |= !process.signals.contains(&Signal::SIGUSR2);
        }
        self.signal_main(main, Signal::SIGUSR2);
    }

    /// A main arbiter is gone, and whoever is next to it notices.
    pub(super) fn main_dies(&mut self, main: MainId, exit: Exit) {
        if !std::mem::take(&mut self.mains[main].is_alive) {
            return;
        }
        self.tell(|| format!("main {main} {exit}"));
        self.mains[main].is_named = false;
        self.systemd.gone(main);
        if let Some(dirty) = self.mains[main].dirty.filter(|dirty| self.dirties[*dirty].is_alive) {
            self.orphan(dirty);
        }
        if let Some(parent) = self.mains[main].parent {
            self.leave(parent, Dead::Successor(exit));
        }
        if let Some(new) = self.mains[main].successor.filter(|new| self.mains[*new].is_alive) {
            self.poke(new);
        }
    }

    pub(super) fn freeze_main(&mut self, main: MainId, time: Duration) {
        let process = &mut self.mains[main];
        if !process.frozen {
            (process.frozen, process.frozen_since) = (true, self.now);
        }
        self.later(time, Happening::Thaw(main));
    }

    pub(super) fn thaw_main(&mut self, main: MainId) {
        let process = &mut self.mains[main];
        if std::mem::take(&mut process.frozen) {
            let lost = self.now - process.frozen_since;
            process.ledger.forgive(lost);
            process.wakes_at = None;
            self.systemd.forgive(self.now);
            self.expect_end(main);
            self.poke(main);
        }
    }
}
