//! What a story is about: the times of its instance, and the moves of operator
//! and fate.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::draw::Draw;
use crate::{
    main_arbiter::machine::Timeouts,
    patience::{self, SILENCE},
};

/// The number of moves of the longest story.
pub(super) const MOST_MOVES: usize = 12;

/// What the operator or fate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Sends a main arbiter a signal.
    Signal(Whom, Signal),
    /// Runs `dirtyd upgrade`: the old main arbiter is to end once the new one
    /// serves.
    Upgrade,
    /// Kills a process.
    Kill(Process),
    /// Stops a process for a while.
    Freeze(Process, Duration),
    /// A dirty arbiter is stuck: for ever, or for a while.
    Hang(Whom, Option<Duration>),
    /// A dirty arbiter panics.
    Crash(Whom),
    /// A dirty arbiter loses a worker.
    WorkerDies(Whom),
    /// Some app of a dirty arbiter is served no more, or again.
    HealthChanges(Whom, bool),
}

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Process {
    Main(Whom),
    Dirty(Whom),
}

/// Whose main arbiter or dirty arbiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// Of the one that has the plain name.
    Named,
    /// Of the one that was started last.
    Newest,
}

/// The plan of a story.
#[derive(Debug)]
pub(super) struct Plan {
    /// The times of the configuration.
    pub(super) timeouts: Timeouts,
    /// How long a process may wait for a core.
    pub(super) lag: Duration,
    /// How often something that may fail does: once in this number of times.
    pub(super) fails: u32,
    /// The moves and when, by number.
    pub(super) moves: Vec<(Duration, Move)>,
    /// When the moves are over, and nothing fails any more.
    pub(super) calm_at: Duration,
    /// When everything must have come to rest.
    pub(super) end_at: Duration,
}

impl Plan {
    /// Draws one.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        let seconds = Duration::from_secs;
        let graceful = draw.one_of(&[0, 1, 5, 30]);
        let boot = draw.one_of(&[2, 10]);
        let timeouts = Timeouts {
            graceful: seconds(graceful),
            upgrade: patience::upgrade_takes(seconds(boot)),
            watchdog: draw.one_of(&[None, Some(3), Some(60), Some(60)]).map(seconds),
        };
        let lag = Duration::from_micros(draw.one_of(&[1, 500, 500, 100_000]));
        let span = seconds(draw.one_of(&[1, 20, 60, 120]));
        // Some stories are about signals and upgrades alone.
        let kinds = draw.one_of(&[16, 16, 9]);
        let mut moves = Vec::new();
        for _ in 0..draw.below(MOST_MOVES + 1) {
            let at = Self::draw_time(draw, moves.last().map(|(at, _)| *at), span);
            moves.push((at, Self::draw_move(draw, kinds)));
        }
        let rest = timeouts.upgrade
            + patience::successor_is_killed(timeouts.graceful)
            + 4 * patience::dirty_arbiter_drains(timeouts.graceful)
            + SILENCE
            + seconds(30);
        let fails = draw.one_of(&[2, 3, 8, 30]);
        Self { timeouts, lag, fails, moves, calm_at: span, end_at: span + rest }
    }

    /// Half of the moves come soon after another one: that is when they meet.
    fn draw_time(draw: &mut Draw, last: Option<Duration>, span: Duration) -> Duration {
        match last {
            Some(last) if draw.one_in(2) => {
                (last + draw.often_short(Duration::from_secs(10))).min(span)
            }
            _ => draw.up_to(span),
        }
    }

    fn draw_move(draw: &mut Draw, kinds: usize) -> Move {
        let whom = draw.one_of(&[Whom::Named, Whom::Named, Whom::Newest]);
        let process =
            draw.one_of(&[Process::Main(whom), Process::Dirty(whom), Process::Dirty(whom)]);
        let a_while = draw.often_short(2 * SILENCE);
        match draw.below(kinds) {
            0..3 => Move::Upgrade,
            3 => Move::Signal(Whom::Named, Signal::SIGUSR2),
            4..6 => Move::Signal(whom, Signal::SIGTERM),
            6 => Move::Signal(whom, draw.one_of(&[Signal::SIGINT, Signal::SIGQUIT])),
            7 => Move::Signal(whom, Signal::SIGHUP),
            8 => Move::Signal(
                whom,
                draw.one_of(&[Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGTTIN, Signal::SIGTTOU]),
            ),
            9 => Move::Kill(process),
            10..12 => Move::Freeze(process, a_while),
            12 => Move::Hang(whom, draw.one_of(&[None, Some(a_while)])),
            13 => Move::Crash(whom),
            14 => Move::WorkerDies(whom),
            _ => Move::HealthChanges(whom, draw.one_in(2)),
        }
    }
}
