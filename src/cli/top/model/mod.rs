//! What `dirtyd top` knows, and what it makes of keys and answers. It draws nothing and
//! asks nobody: [`Model::on`] takes what happens, and returns what to do.
//!
//! ```text
//!   keys, pictures, events ──> Model::on ──> Want: quit, refresh, cancel, restart, stacks
//!                                 └──> view::draw
//! ```

mod cursor;
mod history;
mod keys;
mod order;
mod rows;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Instant, SystemTime},
};

use dirtyd_client::proto::v1::{CallStatus, StatusResponse, WatchEventsResponse};

pub use self::{
    cursor::Cursor,
    history::History,
    keys::Key,
    order::Orders,
    rows::{Busy, pools},
};

/// The most events that are kept; older ones are forgotten.
const MOST_EVENTS: usize = 500;

/// The state of the arbiter at one moment.
#[derive(Debug)]
pub struct Picture {
    /// When it was taken.
    pub taken: Instant,
    /// The same, as the calendar says.
    pub wall: SystemTime,
    /// The status.
    pub status: StatusResponse,
    /// The calls, oldest first, or why they are not known.
    pub calls: Result<Vec<CallStatus>, String>,
    /// The number of further calls.
    pub left_out: u32,
}

/// What happens to it.
#[derive(Debug)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// dirtyd has answered.
    Picture(Box<Picture>),
    /// dirtyd has not answered; why.
    Lost(String),
    /// A life-cycle event.
    Event(Box<WatchEventsResponse>),
    /// The stacks of a worker, or why there are none.
    Stacks(u64, Result<String, String>),
    /// What became of an order.
    Told(String),
    /// Time has passed, or the terminal has another size.
    Tick,
}

/// What it wants to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// To end.
    Quit,
    /// To stop until the shell continues it.
    Suspend,
    /// A new picture, soon.
    Refresh,
    /// The stacks of a worker.
    Stacks(u64),
    /// An order to be carried out.
    Order(Order),
}

/// What an operator can order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// To end a call.
    Cancel {
        /// The arbiter's number for it.
        call: u64,
        /// App and action.
        name: String,
    },
    /// To replace a worker.
    Restart {
        /// The arbiter's number for it.
        worker: u64,
        /// Its process id.
        pid: i32,
    },
}

/// A list of the overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// The apps.
    Apps,
    /// The workers.
    Workers,
    /// The events.
    Events,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Everything.
    Overview,
    /// An app and its calls.
    App(String),
    /// A worker and its calls, and its stacks if they were asked for.
    Worker(u64, Option<Stacks>),
}

/// The stacks of a worker, as far as they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stacks {
    /// The text, or why there is none; nothing until the worker has answered.
    pub text: Option<Result<String, String>>,
    /// The first line that is shown.
    pub first: usize,
}

/// What the last line of the screen is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// It shows the keys.
    Keys,
    /// It takes a filter.
    Filter,
    /// It asks whether an order is meant.
    Confirm(Order),
    /// The help is shown.
    Help,
}

/// The state of `dirtyd top`.
#[derive(Debug)]
pub struct Model {
    /// The present.
    pub now: Instant,
    /// The last picture.
    pub picture: Option<Picture>,
    /// Since when dirtyd does not answer, and why.
    pub lost: Option<(Instant, String)>,
    /// What earlier pictures have said.
    pub history: History,
    /// What has happened, the latest at the end.
    pub events: VecDeque<WatchEventsResponse>,
    /// What is looked at.
    pub place: Place,
    /// The list that the keys are for.
    pub pane: Pane,
    /// The last line.
    pub prompt: Prompt,
    /// What lists are reduced to; empty for all.
    pub filter: String,
    /// How lists are sorted.
    pub orders: Orders,
    /// What became of the last key.
    pub notice: Option<String>,
    /// The chosen app.
    pub app: Cursor<String>,
    /// The chosen worker.
    pub worker: Cursor<u64>,
    /// The chosen call.
    pub call: Cursor<u64>,
    /// How many events below the screen there are: 0 shows the latest.
    pub events_below: usize,
}

impl Model {
    /// One that knows nothing yet.
    pub fn new(now: Instant) -> Self {
        Self {
            now,
            picture: None,
            lost: None,
            history: History::default(),
            events: VecDeque::new(),
            place: Place::Overview,
            pane: Pane::Apps,
            prompt: Prompt::Keys,
            filter: String::new(),
            orders: Orders::default(),
            notice: None,
            app: Cursor::default(),
            worker: Cursor::default(),
            call: Cursor::default(),
            events_below: 0,
        }
    }

    /// Takes what happens; returns what to do.
    pub fn on(&mut self, input: Input, now: Instant) -> Vec<Want> {
        self.now = now;
        let wants = match input {
            Input::Key(key) => self.on_key(key),
            Input::Picture(picture) => {
                self.on_picture(*picture);
                Vec::new()
            }
            Input::Lost(why) => {
                let since = self.lost.take().map_or(now, |(since, _)| since);
                self.lost = Some((since, why));
                Vec::new()
            }
            Input::Event(event) => {
                self.on_event(*event);
                Vec::new()
            }
            Input::Stacks(worker, text) => {
                self.on_stacks(worker, text);
                Vec::new()
            }
            Input::Told(what) => {
                self.notice = Some(what);
                vec![Want::Refresh]
            }
            Input::Tick => Vec::new(),
        };
        self.settle();
        wants
    }

    fn on_picture(&mut self, picture: Picture) {
        self.lost = None;
        self.history.add(&picture);
        let has_worker = |id| picture.status.workers.iter().any(|worker| worker.id == id);
        match &self.place {
            Place::Worker(id, None) if !has_worker(*id) => {
                self.notice = Some(format!("worker {id} has ended"));
                self.place = Place::Overview;
            }
            // Its stacks may still be read.
            Place::Worker(id, Some(_)) if !has_worker(*id) => {
                self.notice = Some(format!("worker {id} has ended; esc goes back"));
            }
            Place::App(app) if !picture.status.apps.iter().any(|other| other.app == *app) => {
                self.notice = Some(format!("app {app} is not configured any more"));
                self.place = Place::Overview;
            }
            _ => {}
        }
        self.picture = Some(picture);
    }

    fn on_event(&mut self, event: WatchEventsResponse) {
        // Who reads older ones goes on reading them.
        if self.events_below > 0 && self.is_shown(&event) {
            self.events_below += 1;
        }
        self.events.push_back(event);
        if self.events.len() > MOST_EVENTS {
            self.events.pop_front();
        }
    }

    fn on_stacks(&mut self, worker: u64, text: Result<String, String>) {
        match &mut self.place {
            Place::Worker(id, Some(stacks)) if *id == worker => stacks.text = Some(text),
            // Nobody looks at them any more.
            _ => {}
        }
    }

    /// Puts the cursors on what there is.
    fn settle(&mut self) {
        let apps: Vec<_> = self.apps().iter().map(|app| app.app.clone()).collect();
        let workers: Vec<_> = self.workers().iter().map(|row| row.worker.id).collect();
        let calls: Vec<_> = self.calls().iter().map(|call| call.id).collect();
        self.app.settle(&apps);
        self.worker.settle(&workers);
        self.call.settle(&calls);
        self.events_below = self.events_below.min(self.happened().len().saturating_sub(1));
    }
}
