//! The signals of the design's table, as what they ask for.

use std::{future::Future, io, pin::Pin};

use nix::sys::signal::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Finish, then end.
    Drain(&'static str),
    /// End at once.
    Quit,
    /// Read the configuration and replace the workers.
    Reload,
    /// Open the log anew.
    ReopenLog,
    /// Start this number of workers, or end some if it is negative.
    Scale(i32),
}

/// What this process is asked for: by signals, where they are its own.
pub enum Asks {
    /// By signals.
    Signals(Box<Signals>),
    /// By the program around it, which has the signals: to drain, once.
    Host(Option<Stop>),
}

/// Resolves when the program around the arbiter wants its end.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Asks {
    /// Asks by signals, which this takes over.
    ///
    /// # Errors
    /// As [`Signals::new`].
    pub fn by_signals() -> io::Result<Self> {
        Signals::new().map(|signals| Self::Signals(Box::new(signals)))
    }

    /// What is asked for next.
    pub async fn next(&mut self) -> Asked {
        match self {
            Self::Signals(signals) => return signals.next().await,
            Self::Host(stop) => {
                if let Some(asked) = stop {
                    asked.await;
                    *stop = None;
                    return Asked::Drain("the program around it stops it");
                }
            }
        }
        std::future::pending().await
    }
}

/// The signals of this process.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user1: Signal,
    more: Signal,
    fewer: Signal,
}

impl Signals {
    /// Takes them over.
    ///
    /// # Errors
    /// The reactor cannot watch them.
    fn new() -> io::Result<Self> {
        let raw = |number: Number| SignalKind::from_raw(number as i32);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            more: signal(raw(Number::SIGTTIN))?,
            fewer: signal(raw(Number::SIGTTOU))?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.quit.recv() => Asked::Quit,
            _ = self.terminate.recv() => Asked::Drain("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Drain("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.user1.recv() => Asked::ReopenLog,
            _ = self.more.recv() => Asked::Scale(1),
            _ = self.fewer.recv() => Asked::Scale(-1),
        }
    }
}
