//! The ways to a worker's end, and what is left to do then.

use std::time::Duration;

use super::{
    Action, Machine,
    stage::{Burial, Stage},
    turn::{Reach, Turn},
};
use dirtyd_client::proto::worker::{Shutdown, arbiter_frame::Kind};

use crate::{
    call::EndedBy,
    clock::Deadline,
    worker::{Death, Report},
};

/// How long a worker that closed its socket may take to exit by itself, so that
/// its exit code is known.
const EXIT_AFTER_CLOSE: Duration = Duration::from_millis(100);
/// The number of frames that a worker may have left in its socket at its end
/// besides those of its calls: Hello, an answer for an app, Pongs.
const FEW_FRAMES: u64 = 8;

impl Machine {
    /// The worker is asked to finish and to exit.
    pub(super) fn on_drain(&mut self, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Booting(_) | Stage::Serving) {
            self.stage = Stage::Draining { exit_by: Deadline::Never };
            turn.send(Kind::Shutdown(Shutdown {}));
            self.await_exit(turn);
        }
    }

    /// A draining worker without calls has a bounded time to close and exit.
    pub(super) fn await_exit(&mut self, turn: &mut Turn<'_>) {
        if let Stage::Draining { exit_by } = &mut self.stage
            && *exit_by == Deadline::Never
            && self.calls.is_empty()
        {
            *exit_by = Deadline::after(turn.now, self.spec.graceful_timeout);
            turn.arm(*exit_by);
        }
    }

    /// The socket has ended, or nothing more is in it.
    pub(super) fn on_closed(&mut self, within_frame: bool, turn: &mut Turn<'_>) {
        if within_frame && self.stage.reads() {
            let worker = self.worker;
            turn.warn(format!("{worker} closed its socket in the middle of a frame"));
        }
        let (patience, exit_by, overdue) = match &self.stage {
            Stage::Booting(_) | Stage::Serving => {
                let overdue = match within_frame {
                    true => "it closed its socket in the middle of a frame and did not exit",
                    false => "it closed its socket but did not exit",
                };
                (EXIT_AFTER_CLOSE, Deadline::Never, overdue)
            }
            Stage::Draining { exit_by } => {
                let overdue = "it did not exit within graceful_timeout";
                (self.spec.graceful_timeout, *exit_by, overdue)
            }
            Stage::Burying(_) => return self.bury(turn),
            Stage::Leaving { .. } | Stage::Killed { .. } | Stage::Buried => return,
        };
        let by = exit_by.min(Deadline::after(turn.now, patience));
        turn.narrow(Reach::Signals);
        turn.arm(by);
        self.stage = Stage::Leaving { by, overdue };
    }

    /// The worker broke the protocol. What comes after that is not read.
    pub(super) fn on_fault(&mut self, why: String, turn: &mut Turn<'_>) {
        if let Stage::Burying(_) = self.stage {
            let worker = self.worker;
            turn.warn(format!("{worker} broke the protocol before it exited: {why}"));
            return self.bury(turn);
        }
        self.kill(why, turn);
    }

    /// Nothing is sent to a killed worker any more, so that calls which still come
    /// start elsewhere. Nor is anything read before its end, because a frame that
    /// is a fault would be found again and again, without a wait.
    pub(super) fn kill(&mut self, why: String, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Killed { .. }) || self.stage.has_ended() {
            return; // it is on its way; the first reason counts
        }
        turn.warn(format!("killing {}: {why}", self.worker));
        turn.narrow(Reach::Nothing);
        turn.act(Action::Kill);
        self.stage = Stage::Killed { why, overdue: false };
    }

    /// Kills a worker whose exit is overdue.
    pub(super) fn check_exit(&mut self, turn: &mut Turn<'_>) {
        if !self.stage.exit_due().is_over(turn.now) {
            return;
        }
        let why = match self.stage {
            Stage::Leaving { overdue, .. } => overdue,
            _ => "it did not exit within graceful_timeout",
        };
        self.kill(why.to_owned(), turn);
        if let Stage::Killed { overdue, .. } = &mut self.stage {
            *overdue = true;
        }
    }

    /// The process has ended. What it still said is read first: an answer that is
    /// in the socket is an answer.
    ///
    /// Only what the worker itself can have left there is read, which is bounded
    /// by the credit of its streams and one last frame for each call. A process
    /// that inherited the descriptor from it may write for ever.
    pub(super) fn on_exited(&mut self, ended: EndedBy, begun: u64, turn: &mut Turn<'_>) {
        if self.stage.has_ended() {
            return;
        }
        turn.narrow(Reach::Nothing);
        let frames = self.calls.frames_left().saturating_add(FEW_FRAMES);
        let ended = match (std::mem::replace(&mut self.stage, Stage::Buried), ended) {
            // It did exit by itself, only late: its code says more than the kill.
            (Stage::Killed { overdue: true, .. }, EndedBy::Exit(code)) => EndedBy::Exit(code),
            (Stage::Killed { why, .. }, _) => EndedBy::Killed(why),
            (_, ended) => ended,
        };
        self.stage = Stage::Burying(Burial { ended, begun, frames });
        self.due = Deadline::Never;
    }

    /// Whether one more frame may be read.
    pub(super) fn may_read(&mut self) -> bool {
        match &mut self.stage {
            Stage::Burying(Burial { frames, .. }) => {
                let left = *frames > 0;
                *frames = frames.saturating_sub(1);
                left
            }
            _ => true,
        }
    }

    /// Answers the calls that the worker had started, gives back those that it
    /// had not, and tells the pool.
    pub(super) fn bury(&mut self, turn: &mut Turn<'_>) {
        let Stage::Burying(burial) = std::mem::replace(&mut self.stage, Stage::Buried) else {
            return;
        };
        let loading = self.loading.current_app().map(str::to_owned);
        let (unstarted, lost) = self.calls.bury(&burial, turn);
        let (ended, last_words) = (burial.ended, String::new());
        turn.report(Report::Died(Box::new(Death { ended, loading, last_words, unstarted, lost })));
    }
}
