//! The feed: what keeps an open page up to date, as server-sent events. [`feed`] returns a
//! handle, which opens it for pages, and a task, which makes what they are sent: once for
//! all of them, and nothing while none is open. [`json`] and [`picture`] say what that is.
//!
//! Bounds: [`MOST_PAGES`] pages, and for each what [`mailbox`] says. A page that is connected
//! again is sent everything anew, so that nothing is kept for those that have left.

mod desk;
mod json;
mod mailbox;
mod picture;

#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use dirtyd_client::proto::v1;
use futures_util::{Stream, StreamExt as _};
use http_body::{Body, Frame};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{MissedTickBehavior, interval},
};

use self::{
    desk::{Desk, Opening, PageLine, Past, SECOND},
    json::Now,
    mailbox::Mailbox,
};
use crate::observe::{history::History, recent::RecentCalls};

/// The number of pages that may be open.
pub const MOST_PAGES: usize = 100;
/// The number of calls that a picture shows: to ask for more is in vain.
pub const MOST_CALLS: u32 = 100;

/// Where the feed finds what it tells.
pub trait Source: Send + Sync + 'static {
    /// The present: the status, and the [`MOST_CALLS`] oldest calls. `None` once the arbiter
    /// ends. Asked for each second while a page is open.
    fn picture(
        &self,
    ) -> impl Future<Output = Option<(v1::StatusResponse, v1::ListCallsResponse)>> + Send;

    /// Looks at the past. Short: whoever counts calls may wait for it.
    fn past<T>(&self, look: impl FnOnce(&History, &RecentCalls) -> T) -> T;
}

/// Opens the feed for pages.
#[derive(Debug, Clone)]
pub struct Feed {
    opening: mpsc::Sender<Opening>,
    room: Arc<Semaphore>,
}

/// Why a page cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoFeed {
    /// Others have all of it.
    #[error("{MOST_PAGES} pages are open, which is the limit; close one and load this page again")]
    Full,
    /// The arbiter ends.
    #[error("the arbiter ends; the page connects again to the one after it")]
    Ended,
}

/// A feed, and the task that feeds it until `events` end: those of the life cycle, from now
/// on.
pub fn feed<S: Source>(
    source: S,
    events: impl Stream<Item = v1::WatchEventsResponse> + Send + Unpin,
) -> (Feed, impl Future<Output = ()> + Send) {
    let (opening, opened) = mpsc::channel(MOST_PAGES);
    let room = Arc::new(Semaphore::new(MOST_PAGES));
    (Feed { opening, room }, run(source, events, opened, Desk::new()))
}

impl Feed {
    /// Opens it for a page, which may `operate` or only look. What is returned is the body of
    /// the answer, of the type `text/event-stream`.
    ///
    /// # Errors
    /// Too many pages are open, or the task has ended.
    pub fn open(&self, operate: bool) -> Result<PageFeed, NoFeed> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| NoFeed::Full)?;
        let line = PageLine::new(Instant::now());
        self.opening.try_send((line.clone(), operate)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoFeed::Full,
            mpsc::error::TrySendError::Closed(_) => NoFeed::Ended,
        })?;
        Ok(PageFeed { line, _room: room })
    }
}

/// What one page reads.
#[derive(Debug)]
pub struct PageFeed {
    line: PageLine,
    _room: OwnedSemaphorePermit,
}

impl Body for PageFeed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.line.take(Instant::now(), cx.waker()) {
            Some(Some(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(None) => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for PageFeed {
    fn drop(&mut self) {
        self.line.put(Mailbox::close);
    }
}

async fn run<S: Source>(
    source: S,
    mut events: impl Stream<Item = v1::WatchEventsResponse> + Unpin,
    mut opened: mpsc::Receiver<Opening>,
    mut desk: Desk,
) {
    let mut seconds = interval(SECOND);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let make = || Some(Box::pin(source.picture()));
    let mut making = None;
    loop {
        tokio::select! {
            // A page that opens behind an event is sent it with the past.
            biased;
            event = events.next() => {
                let Some(event) = event else { return };
                desk.event(Instant::now(), event.into());
            }
            page = opened.recv() => {
                let Some(page) = page else { return };
                let at = now();
                let needs_picture = source.past(|history, recent| {
                    desk.open(at, page, Past { history, recent })
                });
                if needs_picture && making.is_none() {
                    making = make();
                    seconds.reset();
                }
            }
            made = async { making.as_mut().expect("checked").await }, if making.is_some() => {
                making = None;
                let Some((status, calls)) = made else { return };
                let at = now();
                let picture = picture::picture(at.wall, &status, &calls);
                source.past(|history, recent| desk.picture(at, picture, Past { history, recent }));
            }
            _ = seconds.tick(), if desk.has_pages() => match making {
                Some(_) => desk.beat(Instant::now()),
                None => making = make(),
            },
        }
    }
}

fn now() -> Now {
    Now { instant: Instant::now(), wall: SystemTime::now() }
}
