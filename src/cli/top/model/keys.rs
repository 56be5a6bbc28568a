//! What each key does.

use super::{Model, Order, Pane, Place, Prompt, Stacks, Want};
use crate::cli::shown::call_name;

/// The rows of a page.
const PAGE: isize = 10;

/// A key, as far as some key means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-Z.
    Suspend,
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// Tab, backwards.
    BackTab,
    /// The arrow.
    Up,
    /// The arrow.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first row.
    Home,
    /// To the last row.
    End,
}

impl Model {
    pub(super) fn on_key(&mut self, key: Key) -> Vec<Want> {
        match key {
            Key::Interrupt => return vec![Want::Quit],
            Key::Suspend => return vec![Want::Suspend],
            _ => {}
        }
        self.notice = None;
        match std::mem::replace(&mut self.prompt, Prompt::Keys) {
            Prompt::Filter => {
                self.on_key_of_filter(key);
                Vec::new()
            }
            Prompt::Confirm(order) => self.on_answer(order, key),
            // Any key closes it.
            Prompt::Help => Vec::new(),
            Prompt::Keys => self.on_command(key),
        }
    }

    fn on_key_of_filter(&mut self, key: Key) {
        /// As many characters as anyone reads.
        const MOST: usize = 60;
        self.prompt = Prompt::Filter;
        match key {
            Key::Char(letter) if self.filter.chars().count() < MOST => self.filter.push(letter),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Enter => self.prompt = Prompt::Keys,
            Key::Esc => {
                self.filter.clear();
                self.prompt = Prompt::Keys;
            }
            _ => {}
        }
    }

    fn on_answer(&mut self, order: Order, key: Key) -> Vec<Want> {
        match key {
            Key::Char('y' | 'Y') => vec![Want::Order(order)],
            _ => {
                self.notice = Some("nothing was done".to_owned());
                Vec::new()
            }
        }
    }

    fn on_command(&mut self, key: Key) -> Vec<Want> {
        match key {
            Key::Char('q') => return vec![Want::Quit],
            Key::Esc => return self.back(),
            Key::Char('?' | 'h') => self.prompt = Prompt::Help,
            Key::Char('/') => self.prompt = Prompt::Filter,
            Key::Char('s') => self.sort(),
            Key::Char('j') | Key::Down => self.step(1),
            Key::Char('k') | Key::Up => self.step(-1),
            Key::PageDown => self.step(PAGE),
            Key::PageUp => self.step(-PAGE),
            Key::Home | Key::Char('g') => self.step(isize::MIN),
            Key::End | Key::Char('G') => self.step(isize::MAX),
            Key::Tab => self.pane = self.pane.next(),
            Key::BackTab => self.pane = self.pane.next().next(),
            Key::Enter => self.enter(),
            Key::Char('t') => return self.ask_for_stacks(),
            Key::Char('r') => self.ask_to_restart(),
            Key::Char('c') => self.ask_to_cancel(),
            _ => {}
        }
        Vec::new()
    }

    /// One step out: of the stacks, the filter, the place, and `top` itself.
    fn back(&mut self) -> Vec<Want> {
        match &mut self.place {
            Place::Worker(_, stacks @ Some(_)) => *stacks = None,
            _ if !self.filter.is_empty() => self.filter.clear(),
            Place::Overview => return vec![Want::Quit],
            place => *place = Place::Overview,
        }
        Vec::new()
    }

    fn step(&mut self, rows: isize) {
        match (&mut self.place, self.pane) {
            (Place::Worker(_, Some(stacks)), _) => {
                let lines = match &stacks.text {
                    Some(Ok(text)) => text.lines().count(),
                    _ => 0,
                };
                let last = lines.saturating_sub(1);
                stacks.first = stacks.first.saturating_add_signed(rows).min(last);
            }
            (Place::App(_) | Place::Worker(..), _) => {
                let keys: Vec<_> = self.calls().iter().map(|call| call.id).collect();
                self.call.step(&keys, rows);
            }
            (Place::Overview, Pane::Apps) => {
                let keys: Vec<_> = self.apps().iter().map(|app| app.app.clone()).collect();
                self.app.step(&keys, rows);
            }
            (Place::Overview, Pane::Workers) => {
                let keys: Vec<_> = self.workers().iter().map(|row| row.worker.id).collect();
                self.worker.step(&keys, rows);
            }
            (Place::Overview, Pane::Events) => {
                let back = rows.checked_neg().unwrap_or(isize::MAX);
                self.events_below = self.events_below.saturating_add_signed(back);
            }
        }
    }

    fn sort(&mut self) {
        let orders = &mut self.orders;
        let by = match (&self.place, self.pane) {
            (Place::App(_) | Place::Worker(..), _) => {
                orders.calls = orders.calls.next();
                orders.calls.name()
            }
            (Place::Overview, Pane::Apps) => {
                orders.apps = orders.apps.next();
                orders.apps.name()
            }
            (Place::Overview, Pane::Workers) => {
                orders.workers = orders.workers.next();
                orders.workers.name()
            }
            (Place::Overview, Pane::Events) => "time",
        };
        self.notice = Some(format!("sorted by {by}"));
    }

    fn enter(&mut self) {
        let place = match (&self.place, self.pane) {
            (Place::Overview, Pane::Apps) => self.app.chosen().cloned().map(Place::App),
            (Place::Overview, Pane::Workers) => {
                self.worker.chosen().map(|id| Place::Worker(*id, None))
            }
            // From the calls of an app to the worker of the chosen one.
            (Place::App(_), _) => {
                let call = self.chosen_call().filter(|call| call.worker_id != 0);
                call.map(|call| Place::Worker(call.worker_id, None))
            }
            _ => None,
        };
        if let Some(place) = place {
            self.place = place;
            self.filter.clear();
        }
    }

    /// The worker that a key is for.
    fn meant_worker(&self) -> Option<u64> {
        match (&self.place, self.pane) {
            (Place::Worker(id, _), _) => Some(*id),
            (Place::App(_), _) => {
                self.chosen_call().map(|call| call.worker_id).filter(|id| *id != 0)
            }
            (Place::Overview, Pane::Workers) => self.worker.chosen().copied(),
            (Place::Overview, _) => None,
        }
    }

    fn chosen_call(&self) -> Option<&dirtyd_client::proto::v1::CallStatus> {
        let chosen = self.call.chosen()?;
        self.calls().into_iter().find(|call| call.id == *chosen)
    }

    fn ask_for_stacks(&mut self) -> Vec<Want> {
        let Some(id) = self.meant_worker() else {
            self.notice = Some("choose a worker, or a call that runs, for its stacks".to_owned());
            return Vec::new();
        };
        self.place = Place::Worker(id, Some(Stacks { text: None, first: 0 }));
        vec![Want::Stacks(id)]
    }

    fn ask_to_restart(&mut self) {
        let meant = self.meant_worker();
        let workers = self.picture.iter().flat_map(|picture| &picture.status.workers);
        let worker = workers.into_iter().find(|worker| Some(worker.id) == meant);
        match worker {
            Some(worker) => {
                let order = Order::Restart { worker: worker.id, pid: worker.pid };
                self.prompt = Prompt::Confirm(order);
            }
            None => self.notice = Some("choose a worker to restart it (tab)".to_owned()),
        }
    }

    fn ask_to_cancel(&mut self) {
        let call = match (&self.place, self.pane) {
            (Place::App(_) | Place::Worker(..), _) => self.chosen_call(),
            (Place::Overview, Pane::Workers) => {
                let calls = self.worker.chosen().map(|id| self.cancellable(*id));
                match calls.as_deref() {
                    Some([call]) => Some(*call),
                    _ => None,
                }
            }
            (Place::Overview, _) => None,
        };
        match call {
            Some(call) => {
                let order = Order::Cancel { call: call.id, name: call_name(call) };
                self.prompt = Prompt::Confirm(order);
            }
            None => {
                let remedy = "choose a call to cancel it: enter shows those of an app or worker";
                self.notice = Some(remedy.to_owned());
            }
        }
    }
}

impl Pane {
    fn next(self) -> Self {
        match self {
            Self::Apps => Self::Workers,
            Self::Workers => Self::Events,
            Self::Events => Self::Apps,
        }
    }
}
