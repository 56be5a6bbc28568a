//! What a simulated systemd hears: who the main process is, and whether it lives.

use std::time::Duration;

use super::world::{Kept, MainId, World};
use crate::main_arbiter::machine::Notice;

/// The service, as systemd sees it.
#[derive(Debug)]
pub(super) struct Systemd {
    watchdog: Option<Duration>,
    /// The main process; `None` once it is gone without a word.
    main: Option<MainId>,
    /// The last sign of life; `None` before the service was ready.
    alive_at: Option<Duration>,
}

impl Systemd {
    /// The manager of a service that has just been started.
    pub(super) fn new(watchdog: Option<Duration>) -> Self {
        Self { watchdog, main: Some(0), alive_at: None }
    }

    /// Somebody who was stopped or stuck goes on.
    pub(super) fn forgive(&mut self, now: Duration) {
        self.alive_at = self.alive_at.map(|_| now);
    }

    /// The main process ended.
    pub(super) fn gone(&mut self, main: MainId) {
        self.main = self.main.filter(|known| *known != main);
    }
}

impl World {
    /// A main arbiter tells systemd something.
    pub(super) fn notify(&mut self, main: MainId, notice: Notice) {
        let now = self.now;
        if self.systemd.main != Some(main) && notice != Notice::SuccessorIsMain(false) {
            return;
        }
        match notice {
            Notice::Ready | Notice::Degraded | Notice::Watchdog => {
                if notice != Notice::Watchdog || self.systemd.alive_at.is_some() {
                    self.systemd.alive_at = Some(now);
                }
            }
            Notice::SuccessorIsMain(true) => {
                self.systemd.main = self.mains[main].successor.or(Some(main));
                self.systemd.alive_at = Some(now);
            }
            Notice::SuccessorIsMain(false) => {
                self.systemd.main = Some(main);
                self.systemd.alive_at = Some(now);
            }
            Notice::Restarting | Notice::Reloading | Notice::Stopping => {}
        }
    }

    /// The watchdog bites only for what is stopped or stuck.
    pub(super) fn watch_watchdog(&mut self) -> Kept {
        let (Some(limit), Some(main), Some(alive_at)) =
            (self.systemd.watchdog, self.systemd.main, self.systemd.alive_at)
        else {
            return Ok(());
        };
        let process = &self.mains[main];
        let dirty = process.dirty.map(|dirty| &self.dirties[dirty]);
        let is_mute = dirty.is_some_and(|dirty| dirty.mute_since.is_some());
        if is_mute || process.frozen || process.is_stopping() {
            self.systemd.alive_at = Some(self.now);
        } else if self.now - alive_at > limit {
            return Err(
                "systemd hears a sign of life in time from whoever is neither stopped nor stuck",
            );
        }
        Ok(())
    }
}
