//! What the main arbiter decides. Pure: events and the time go in, actions come
//! out; it starts nothing, reads nothing and waits for nothing.
//!
//! ```text
//!   dirty arbiter:  down --start_at--> up (booting) --Ready--> up (serving)
//!                    ^------------------ it exits ---------------/
//!   this one:       serving --TERM--> stopping --it exited--> Exit
//! ```
//!
//! The part of it that starts and judges a successor is [`Upgrade`].

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::upgrade::Upgrade;
use crate::{lifeline::Report, process::children::Exit};

/// How often the dirty arbiter is asked for a sign of life, at most.
const PING: Duration = Duration::from_secs(5);
/// How long it may be silent. It never blocks, so this means that it is stuck
/// or stopped.
const SILENCE: Duration = Duration::from_secs(30);
/// How much longer than `graceful_timeout` it may take to end: its workers have
/// state to save, and its own patience with them is bounded.
const STRAGGLERS: Duration = Duration::from_secs(8);
/// How long it may take to end at once.
const AT_ONCE: Duration = Duration::from_secs(2);
/// A dirty arbiter that lived so long was healthy: the next starts at once.
const HEALTHY: Duration = Duration::from_secs(10);
/// Pauses between starts of one that keeps dying: the first, and the longest
/// for one that becomes ready and one that never does.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_IF_READY: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A signal came.
    Signal(Signal),
    /// The dirty arbiter told something.
    Report(Report),
    /// The dirty arbiter ended.
    ArbiterExited(Exit),
    /// It could not even be started.
    StartFailed,
    /// The new main arbiter of an upgrade told something.
    SuccessorReport(Report),
    /// It ended.
    SuccessorExited(Exit),
    /// It could not even be started, and why.
    SuccessorNotStarted(String),
    /// The old main arbiter of the upgrade that started this one is content:
    /// callers may come.
    Admitted,
    /// That old main arbiter is gone.
    PredecessorGone,
    /// An adopted process ended; its children are ours now.
    StrayEnded,
    /// Time has passed.
    Alarm,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a dirty arbiter.
    Start,
    /// Send it a signal.
    Signal(Signal),
    /// Ask it for a sign of life.
    Ping,
    /// Kill processes that belong to nobody; all of them, or those whose group
    /// has no leader.
    Sweep { all: bool },
    /// Open the log anew.
    ReopenLog,
    /// Close the listening socket: nobody shall wait for an end.
    CloseSocket,
    /// Start the new binary.
    StartSuccessor,
    /// Send the new main arbiter a signal.
    SignalSuccessor(Signal),
    /// Let the new main arbiter take connections.
    AdmitSuccessor,
    /// Let the dirty arbiter take connections.
    Admit,
    /// Tell whoever asked how the upgrade went: the successor serves, or why not.
    Upgraded(Result<(), String>),
    /// Tell the old main arbiter.
    TellPredecessor(Report),
    /// Take the plain name.
    TakeName,
    /// Tell systemd.
    Notify(Notice),
    /// End, with this exit code.
    Exit(u8),
}

/// What systemd is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It serves.
    Ready,
    /// Some app is not served.
    Degraded,
    /// It serves again, soon.
    Restarting,
    /// A reload began.
    Reloading,
    /// It ends.
    Stopping,
    /// It lives.
    Watchdog,
    /// The successor is the main process now; or not any more.
    SuccessorIsMain(bool),
}

/// What the machine needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long a drain may take.
    pub graceful_timeout: Duration,
    /// How long the new binary of an upgrade may take to become ready.
    pub upgrade_timeout: Duration,
    /// How often systemd wants a sign of life.
    pub watchdog: Option<Duration>,
    /// This one was started by an upgrade.
    pub has_predecessor: bool,
}

/// The dirty arbiter, as seen from above.
#[derive(Debug, Clone, Copy)]
enum Arbiter {
    Down { start_at: Option<Instant> },
    Up(Up),
}

#[derive(Debug, Clone, Copy)]
struct Up {
    since: Instant,
    health: Option<Report>,
    ping_at: Instant,
    heard: Instant,
    silenced: bool,
}

/// The end of this process.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    at_once: bool,
    kill_at: Instant,
    killed: bool,
}

/// The state of the main arbiter.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    arbiter: Arbiter,
    stopping: Option<Stopping>,
    upgrade: Upgrade,
    predecessor: bool,
    admitted: bool,
    failures: u32,
    was_ready: bool,
    reloading: bool,
}

impl Machine {
    /// A machine that starts its dirty arbiter at the first [`Event::Alarm`].
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            arbiter: Arbiter::Down { start_at: Some(now) },
            stopping: None,
            upgrade: Upgrade::None,
            predecessor: settings.has_predecessor,
            admitted: !settings.has_predecessor,
            failures: 0,
            was_ready: false,
            reloading: false,
        }
    }

    /// Whether a successor was started that this process must not outlive as
    /// the owner of names and socket.
    pub fn is_succeeded(&self) -> bool {
        self.upgrade == Upgrade::Serving
    }

    /// Whether the dirty arbiter may take connections as soon as it is up.
    pub fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// When the next [`Event::Alarm`] is due.
    pub fn due(&self) -> Option<Instant> {
        let arbiter = match self.arbiter {
            Arbiter::Down { start_at } => start_at,
            Arbiter::Up(up) => Some(up.ping_at),
        };
        let stopping = self.stopping.filter(|stop| !stop.killed).map(|stop| stop.kill_at);
        [arbiter, stopping, self.upgrade.due()].into_iter().flatten().min()
    }

    /// Takes an event; gives what to do, in this order.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Signal(signal) => self.on_signal(signal, now),
            Event::Report(report) => self.on_report(report, now),
            Event::ArbiterExited(exit) => self.on_exit(exit, now),
            Event::StartFailed => self.on_start_failed(now),
            Event::SuccessorReport(report) => {
                let serves_all = self.notice() == Notice::Ready;
                self.upgrade.on_report(report, serves_all, now + self.patience())
            }
            Event::SuccessorExited(exit) => {
                self.upgrade.on_exit(exit, now + self.settings.upgrade_timeout)
            }
            Event::SuccessorNotStarted(why) => self.upgrade.on_not_started(why),
            Event::Admitted => self.admit(),
            Event::PredecessorGone => self.on_predecessor_gone(),
            Event::StrayEnded => vec![Action::Sweep { all: false }],
            Event::Alarm => self.on_alarm(now),
        }
    }

    fn on_signal(&mut self, signal: Signal, now: Instant) -> Vec<Action> {
        match signal {
            Signal::SIGTERM | Signal::SIGINT if self.stopping.is_none() => {
                tracing::info!(
                    "{signal}: the dirty arbiter drains for up to {:?}, then this one ends",
                    self.settings.graceful_timeout
                );
                self.stop(false, now)
            }
            Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT => {
                tracing::info!("{signal}: ending at once, without a drain");
                self.stop(true, now)
            }
            _ if self.stopping.is_some() => Vec::new(),
            Signal::SIGHUP => {
                tracing::info!("SIGHUP: the dirty arbiter reloads");
                self.reloading = self.is_up();
                let notice =
                    if self.reloading { vec![] } else { vec![Action::Notify(Notice::Ready)] };
                let mut actions = vec![Action::Notify(Notice::Reloading)];
                actions.extend(self.forward(signal));
                actions.extend(notice);
                actions
            }
            Signal::SIGUSR1 => {
                let mut actions = vec![Action::ReopenLog];
                actions.extend(self.forward(signal));
                actions
            }
            Signal::SIGUSR2 => self.begin_upgrade(now),
            Signal::SIGTTIN | Signal::SIGTTOU => self.forward(signal),
            _ => Vec::new(),
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.arbiter, Arbiter::Up(_))
    }

    fn forward(&self, signal: Signal) -> Vec<Action> {
        if self.is_up() {
            return vec![Action::Signal(signal)];
        }
        tracing::warn!("{signal}: the dirty arbiter is down; the signal is not passed on");
        Vec::new()
    }

    fn stop(&mut self, at_once: bool, now: Instant) -> Vec<Action> {
        let first = self.stopping.is_none();
        let patience = if at_once { AT_ONCE } else { self.patience() };
        self.stopping = Some(Stopping { at_once, kill_at: now + patience, killed: false });
        let mut actions = Vec::new();
        if first {
            actions.extend([Action::Notify(Notice::Stopping), Action::CloseSocket]);
            actions.extend(self.upgrade.on_stop(now + self.patience()));
        }
        if !self.is_up() {
            actions.push(Action::Exit(0));
            return actions;
        }
        actions.push(Action::Signal(if at_once { Signal::SIGQUIT } else { Signal::SIGTERM }));
        // A stopped process takes no signal but this one.
        actions.push(Action::Signal(Signal::SIGCONT));
        actions
    }

    fn on_report(&mut self, report: Report, now: Instant) -> Vec<Action> {
        let Arbiter::Up(up) = &mut self.arbiter else { return Vec::new() };
        up.heard = now;
        match report {
            Report::Ready | Report::Degraded => {
                let first = up.health.is_none();
                up.health = Some(report);
                self.was_ready = true;
                self.on_health(report, first)
            }
            Report::Reloaded => {
                let was = std::mem::take(&mut self.reloading);
                if was && self.stopping.is_none() {
                    return vec![Action::Notify(self.notice())];
                }
                Vec::new()
            }
            Report::WorkerDied => vec![Action::Sweep { all: false }],
            Report::Alive if up.health.is_some() => vec![Action::Notify(Notice::Watchdog)],
            Report::Alive => Vec::new(),
        }
    }

    fn on_health(&mut self, report: Report, first: bool) -> Vec<Action> {
        if self.stopping.is_some() {
            return Vec::new();
        }
        let mut actions = Vec::new();
        if first && self.predecessor {
            actions.push(Action::TellPredecessor(report));
        } else if !self.predecessor && !self.is_succeeded() && !self.reloading {
            actions.push(Action::Notify(self.notice()));
        }
        actions
    }

    fn notice(&self) -> Notice {
        match self.arbiter {
            Arbiter::Up(Up { health: Some(Report::Ready), .. }) => Notice::Ready,
            _ => Notice::Degraded,
        }
    }

    fn on_exit(&mut self, exit: Exit, now: Instant) -> Vec<Action> {
        let up = match self.arbiter {
            Arbiter::Up(up) => up,
            Arbiter::Down { .. } => return Vec::new(),
        };
        self.arbiter = Arbiter::Down { start_at: None };
        let mut actions = vec![Action::Sweep { all: true }];
        if let Some(stop) = self.stopping {
            let clean = stop.at_once || exit == Exit::Code(0);
            tracing::info!("the dirty arbiter {exit}; this one ends");
            actions.push(Action::Exit(u8::from(!clean)));
            return actions;
        }
        if self.predecessor && up.health.is_none() {
            tracing::error!(
                "the dirty arbiter {exit} before it was ready; the upgrade is given up, the old main arbiter stays"
            );
            actions.push(Action::Exit(1));
            return actions;
        }
        let pause = self.pause(now.duration_since(up.since));
        tracing::error!(
            "the dirty arbiter {exit}; its calls are lost and its workers end with it; the next one starts {}",
            in_(pause)
        );
        self.reloading = false;
        self.arbiter = Arbiter::Down { start_at: Some(now + pause) };
        if !self.predecessor && !self.is_succeeded() {
            actions.push(Action::Notify(Notice::Restarting));
        }
        actions.extend(self.start_if_due(now));
        actions
    }

    fn on_start_failed(&mut self, now: Instant) -> Vec<Action> {
        if self.predecessor {
            return vec![Action::Exit(1)];
        }
        let pause = self.pause(Duration::ZERO);
        tracing::error!("the next try is {}", in_(pause));
        self.arbiter = Arbiter::Down { start_at: Some(now + pause) };
        Vec::new()
    }

    /// How long to wait before the next start.
    fn pause(&mut self, lived: Duration) -> Duration {
        let longest = if self.was_ready { LONGEST_IF_READY } else { LONGEST };
        if lived >= HEALTHY {
            self.failures = 0;
        }
        let pause = match self.failures {
            0 => Duration::ZERO,
            n => PAUSE.saturating_mul(1 << (n - 1).min(10)).min(longest),
        };
        self.failures = self.failures.saturating_add(1);
        self.was_ready = false;
        pause
    }

    fn start_if_due(&mut self, now: Instant) -> Vec<Action> {
        match self.arbiter {
            Arbiter::Down { start_at: Some(at) } if at <= now => {
                let ping_at = now + self.ping_interval();
                let health = None;
                let up = Up { since: now, health, ping_at, heard: now, silenced: false };
                self.arbiter = Arbiter::Up(up);
                vec![Action::Start]
            }
            Arbiter::Down { .. } | Arbiter::Up(_) => Vec::new(),
        }
    }

    fn ping_interval(&self) -> Duration {
        self.settings.watchdog.map_or(PING, |limit| PING.min(limit / 3))
    }

    fn on_alarm(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = self.start_if_due(now);
        actions.extend(self.listen_for_life(now));
        if let Some(stop) = &mut self.stopping
            && stop.kill_at <= now
            && !stop.killed
        {
            stop.killed = true;
            tracing::error!("the dirty arbiter did not end in time; it is killed");
            actions.push(Action::Signal(Signal::SIGKILL));
        }
        let kill_at = now + self.patience();
        actions.extend(self.upgrade.on_alarm(self.settings.upgrade_timeout, kill_at, now));
        actions
    }

    /// How long who was told to drain may take to end.
    fn patience(&self) -> Duration {
        self.settings.graceful_timeout + STRAGGLERS
    }

    fn listen_for_life(&mut self, now: Instant) -> Vec<Action> {
        let interval = self.ping_interval();
        let Arbiter::Up(up) = &mut self.arbiter else { return Vec::new() };
        if up.ping_at > now {
            return Vec::new();
        }
        up.ping_at = now + interval;
        if now.duration_since(up.heard) >= SILENCE && !up.silenced && self.stopping.is_none() {
            up.silenced = true;
            tracing::error!(
                "the dirty arbiter gave no sign of life for {SILENCE:?}; it is killed and another started"
            );
            return vec![Action::Signal(Signal::SIGKILL)];
        }
        vec![Action::Ping]
    }

    // ---- upgrade

    fn begin_upgrade(&mut self, now: Instant) -> Vec<Action> {
        if self.predecessor {
            tracing::error!(
                "SIGUSR2: no upgrade: this main arbiter is itself new; end the old one first"
            );
            return Vec::new();
        }
        self.upgrade.begin(now + self.settings.upgrade_timeout)
    }

    fn on_predecessor_gone(&mut self) -> Vec<Action> {
        if !std::mem::take(&mut self.predecessor) {
            return Vec::new();
        }
        tracing::info!("the old main arbiter is gone; this one takes its name");
        let mut actions = self.admit();
        actions.push(Action::TakeName);
        if self.is_up() {
            actions.push(Action::Notify(self.notice()));
        }
        actions
    }

    fn admit(&mut self) -> Vec<Action> {
        let was = std::mem::replace(&mut self.admitted, true);
        if was || !self.is_up() { Vec::new() } else { vec![Action::Admit] }
    }
}

fn in_(pause: Duration) -> String {
    if pause.is_zero() { "at once".to_owned() } else { format!("in {pause:?}") }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
