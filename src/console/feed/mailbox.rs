//! What waits for one page: frames in order, and the newest picture. Pure, and bounded: a
//! page that reads nothing costs [`MOST_BYTES`], and not for ever.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// How much may wait for a page. One for which more waits is closed.
pub const MOST_BYTES: usize = 1 << 20;
/// How long a page may read nothing while something waits. Then it is closed.
pub const STALL: Duration = Duration::from_secs(30);

/// What waits for one page.
#[derive(Debug)]
pub struct Mailbox {
    frames: VecDeque<Bytes>,
    /// It replaces the one before, and waits behind the frames.
    picture: Option<Bytes>,
    bytes: usize,
    /// When something was last taken, or there was nothing to take.
    read: Instant,
    is_closed: bool,
}

impl Mailbox {
    /// An empty one.
    pub fn new(now: Instant) -> Self {
        Self { frames: VecDeque::new(), picture: None, bytes: 0, read: now, is_closed: false }
    }

    /// Adds a frame. If there is no room, the picture goes; if that does not help, all goes.
    pub fn frame(&mut self, now: Instant, frame: Bytes) {
        self.look(now);
        if self.bytes + frame.len() > MOST_BYTES {
            self.drop_picture();
        }
        if self.bytes + frame.len() > MOST_BYTES {
            self.close();
        }
        if !self.is_closed {
            self.bytes += frame.len();
            self.frames.push_back(frame);
        }
    }

    /// Puts a picture in the place of the one before. Without room there is none.
    pub fn picture(&mut self, now: Instant, picture: Bytes) {
        self.look(now);
        self.drop_picture();
        if !self.is_closed && self.bytes + picture.len() <= MOST_BYTES {
            self.bytes += picture.len();
            self.picture = Some(picture);
        }
    }

    /// Takes what is next.
    pub fn take(&mut self, now: Instant) -> Option<Bytes> {
        let next = self.frames.pop_front().or_else(|| self.picture.take());
        self.bytes -= next.as_ref().map_or(0, Bytes::len);
        self.read = now;
        next
    }

    /// Ends it. What waits is dropped.
    pub fn close(&mut self) {
        self.is_closed = true;
        self.frames = VecDeque::new();
        self.picture = None;
        self.bytes = 0;
    }

    /// Whether nothing comes any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn look(&mut self, now: Instant) {
        if self.bytes == 0 {
            self.read = now;
        } else if now.saturating_duration_since(self.read) >= STALL {
            self.close();
        }
    }

    fn drop_picture(&mut self) {
        self.bytes -= self.picture.take().map_or(0, |picture| picture.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    #[test]
    fn frames_keep_their_order_and_only_the_newest_picture_waits() {
        let now = Instant::now();
        let mut mailbox = Mailbox::new(now);
        mailbox.picture(now, of(1));
        mailbox.frame(now, of(2));
        mailbox.picture(now, of(3));
        mailbox.frame(now, of(4));
        let taken: Vec<_> = std::iter::from_fn(|| mailbox.take(now)).map(|b| b.len()).collect();
        assert_eq!(taken, [2, 4, 3]);
        assert_eq!(mailbox.bytes, 0);
    }

    #[test]
    fn without_room_the_picture_goes_first_and_then_the_page() {
        let now = Instant::now();
        let mut mailbox = Mailbox::new(now);
        mailbox.picture(now, of(MOST_BYTES / 2));
        mailbox.frame(now, of(MOST_BYTES));
        assert!(!mailbox.is_closed() && mailbox.picture.is_none());
        mailbox.picture(now, of(1));
        assert!(mailbox.picture.is_none(), "no room");
        assert_eq!(mailbox.bytes, MOST_BYTES);
        mailbox.frame(now, of(1));
        assert!(mailbox.is_closed());
        assert_eq!((mailbox.bytes, mailbox.take(now)), (0, None));
        mailbox.frame(now, of(1));
        mailbox.picture(now, of(1));
        assert_eq!((mailbox.bytes, mailbox.take(now)), (0, None), "nothing comes any more");
    }

    #[test]
    fn a_page_that_reads_nothing_is_closed_and_one_that_has_nothing_to_read_is_not() {
        let now = Instant::now();
        let mut mailbox = Mailbox::new(now);
        let later = now + STALL * 100;
        mailbox.picture(later, of(1));
        mailbox.picture(later + STALL / 2, of(1));
        assert!(mailbox.take(later + STALL / 2).is_some());
        mailbox.picture(later + STALL, of(1));
        assert!(!mailbox.is_closed());
        mailbox.picture(later + STALL * 2, of(1));
        assert!(mailbox.is_closed());
    }
}
