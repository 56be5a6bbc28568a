//! What pages are sent, and when: each frame is made once, however many pages are open, and
//! not at all while none is. Pure but for the mailboxes, from which the pages read.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    json::{self, Event, Now},
    mailbox::Mailbox,
};
use crate::observe::{
    history::History,
    recent::{RecentCalls, Ring},
};

/// The time from one picture to the next.
pub const SECOND: Duration = Duration::from_secs(1);
/// The number of events that a page is sent when it opens.
pub const MOST_EVENTS: usize = 200;

/// A page's mailbox, from both ends.
#[derive(Debug, Clone)]
pub struct PageLine(Arc<Mutex<(Mailbox, Option<Waker>)>>);

impl PageLine {
    /// One with an empty mailbox.
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new((Mailbox::new(now), None))))
    }

    /// Does something with the mailbox, and wakes its reader.
    pub fn put(&self, put: impl FnOnce(&mut Mailbox)) {
        let waker = {
            let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            put(&mut line.0);
            line.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Takes what is next: `Some(None)` if nothing comes any more, and `None` if nothing is
    /// there yet; then the waker is woken later.
    pub fn take(&self, now: Instant, waker: &Waker) -> Option<Option<Bytes>> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match line.0.take(now) {
            Some(bytes) => Some(Some(bytes)),
            None if line.0.is_closed() => Some(None),
            None => {
                line.1 = Some(waker.clone());
                None
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.is_closed()
    }
}

/// A page that opens: where it reads, and whether it may operate.
pub type Opening = (PageLine, bool);

/// The open pages, and what was made for them.
#[derive(Debug)]
pub struct Desk {
    pages: Vec<PageLine>,
    events: Ring<Event>,
    /// What pages have been told of.
    told: Told,
    /// What a page is sent first, as it was last made, and what it told: for those that may
    /// look, and for those that may operate.
    hellos: [Option<(Told, Bytes)>; 2],
    picture: Option<(Instant, Bytes)>,
}

/// How far something tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Told {
    step: Option<Instant>,
    event: u64,
    slow: u64,
    failed: u64,
}

impl Desk {
    /// One without pages.
    pub fn new() -> Self {
        Self {
            pages: Vec::new(),
            events: Ring::new(MOST_EVENTS),
            told: Told::default(),
            hellos: [None, None],
            picture: None,
        }
    }

    /// Whether a page is open.
    pub fn has_pages(&self) -> bool {
        !self.pages.is_empty()
    }

    /// A page opens, which may `operate`: it is sent the history and, if it is fresh, the last
    /// picture. Returns whether a picture has to be made.
    pub fn open(&mut self, at: Now, (page, operate): Opening, past: Past<'_>) -> bool {
        // The others are told first, so that all of them know the same.
        self.tell_news(at, past);
        let told = self.newest(past);
        let hello = match &mut self.hellos[usize::from(operate)] {
            Some((of, hello)) if *of == told => hello.clone(),
            old => {
                let hello = json::hello(at, operate, past.history, &self.events, past.recent);
                old.insert((told, hello)).1.clone()
            }
        };
        let fresh = self.picture.clone().filter(|(made, _)| at.instant < *made + SECOND);
        let is_fresh = fresh.is_some();
        page.put(|mailbox| {
            mailbox.frame(at.instant, hello);
            fresh.into_iter().for_each(|(_, picture)| mailbox.picture(at.instant, picture));
        });
        self.pages.push(page);
        !is_fresh
    }

    /// An event of the life cycle happens: every page is told at once.
    pub fn event(&mut self, now: Instant, event: Event) {
        if self.has_pages() {
            self.send(now, &json::frame("event", &event));
        }
        self.events.push(event);
    }

    /// A picture was made. With it the pages are told what else is new.
    pub fn picture(&mut self, at: Now, picture: Bytes, past: Past<'_>) {
        self.tell_news(at, past);
        for page in &self.pages {
            page.put(|mailbox| mailbox.picture(at.instant, picture.clone()));
        }
        self.picture = Some((at.instant, picture));
        self.forget_closed();
    }

    /// A picture takes long: the pages are told that the connection lives.
    pub fn beat(&mut self, now: Instant) {
        self.send(now, &Bytes::from_static(b": the arbiter is busy\n\n"));
        self.forget_closed();
    }

    /// Sends what has come since it last sent: a step of the history, slow and failed
    /// calls.
    fn tell_news(&mut self, at: Now, past: Past<'_>) {
        let newest = self.newest(past);
        if self.has_pages() && newest.step != self.told.step {
            self.send(at.instant, &json::steps(at, past.history, self.told.step));
        }
        let (slow, failed) = (past.recent.slow(), past.recent.failed());
        if self.has_pages() && (newest.slow, newest.failed) != (self.told.slow, self.told.failed) {
            let calls = json::ended(slow.after(self.told.slow), failed.after(self.told.failed));
            self.send(at.instant, &calls);
        }
        self.told = newest;
    }

    fn newest(&self, past: Past<'_>) -> Told {
        Told {
            step: past.history.moments().next_back(),
            event: self.events.last(),
            slow: past.recent.slow().last(),
            failed: past.recent.failed().last(),
        }
    }

    fn send(&self, now: Instant, frame: &Bytes) {
        for page in &self.pages {
            page.put(|mailbox| mailbox.frame(now, frame.clone()));
        }
    }

    /// Pages that have left, and those that read too little.
    fn forget_closed(&mut self) {
        self.pages.retain(|page| !page.is_closed());
        if self.pages.is_empty() {
            (self.picture, self.hellos) = (None, [None, None]);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.pages.iter().for_each(|page| page.put(Mailbox::close));
    }
}

/// What is known of the past.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The last 15 minutes.
    pub history: &'a History,
    /// The slow and the failed calls.
    pub recent: &'a RecentCalls,
}
