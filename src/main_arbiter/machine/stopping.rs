//! The end of this process: the dirty arbiter drains, then it is killed.
//!
//! ```text
//!   draining --QUIT, INT again--> ending at once --too late--> killed
//!      \---------------- too late -----------------------------^
//! ```

use std::time::Instant;

use nix::sys::signal::Signal;

use crate::{clock::Deadline, process::children::Exit};

/// An end in progress.
#[derive(Debug)]
pub(super) struct Stopping {
    at_once: bool,
    /// `Never` once it was killed.
    kill_at: Deadline,
    killed: bool,
    /// No signal asked for it: a successor serves instead.
    gives_way: bool,
    /// The dirty arbiter has ended, and this process ends with this code when its
    /// predecessor has, too.
    waits_to_exit: Option<u8>,
}

impl Stopping {
    /// The dirty arbiter drains, or ends at once, until `kill_at`.
    pub(super) fn begin(at_once: bool, kill_at: Deadline) -> Self {
        Self { at_once, kill_at, killed: false, gives_way: false, waits_to_exit: None }
    }

    /// The dirty arbiter finishes its calls, however long they take, because a
    /// successor serves instead.
    pub(super) fn give_way() -> Self {
        Self { gives_way: true, ..Self::begin(false, Deadline::Never) }
    }

    /// Whether this process ends only because a successor serves.
    pub(super) fn gives_way(&self) -> bool {
        self.gives_way
    }

    /// A signal asks for it, too: whatever becomes of the successor, this process
    /// ends, and the dirty arbiter has until `kill_at`. Returns whether that is news.
    pub(super) fn is_asked_for(&mut self, kill_at: Deadline) -> bool {
        let is_news = std::mem::take(&mut self.gives_way);
        if is_news {
            self.kill_at = kill_at;
        }
        is_news
    }

    /// Whether there is time to wait for the predecessor.
    pub(super) fn may_wait(&self) -> bool {
        !self.at_once && !self.killed
    }

    /// The dirty arbiter has ended; the predecessor has not, and has as long as it.
    pub(super) fn wait_to_exit(&mut self, code: u8) {
        self.waits_to_exit = Some(code);
    }

    /// The code to exit with, if this process only waits for its predecessor.
    pub(super) fn waiting_to_exit(&self) -> Option<u8> {
        self.waits_to_exit
    }

    /// It has until `kill_at` at most; who is told again and again gets no more
    /// time for it.
    pub(super) fn hasten(&mut self, kill_at: Deadline) {
        (self.at_once, self.gives_way) = (true, false);
        if !self.killed {
            self.kill_at = self.kill_at.min(kill_at);
        }
    }

    /// When [`kill_if_due`](Self::kill_if_due) has something to do.
    pub(super) fn due(&self) -> Deadline {
        self.kill_at
    }

    /// Returns true, once, if the dirty arbiter is to be killed now.
    pub(super) fn kill_if_due(&mut self, now: Instant) -> bool {
        let due = self.kill_at.is_over(now);
        if due {
            (self.kill_at, self.killed) = (Deadline::Never, true);
        }
        due
    }

    /// The exit code of this process if the dirty arbiter ended so: 0 after a
    /// clean drain, or if none was wanted. SIGTERM itself can only end a dirty arbiter
    /// that serves nobody yet.
    pub(super) fn exit_code(&self, exit: Exit) -> u8 {
        let is_clean = exit == Exit::Code(0) || exit == Exit::Signal(Signal::SIGTERM as i32);
        u8::from(!self.at_once && !is_clean)
    }
}
