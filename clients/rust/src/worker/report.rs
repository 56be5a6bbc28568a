//! When what the metrics of apps have gained goes to the arbiter.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::metrics;
use crate::proto::worker::Metrics;

/// From the first change to the frame that tells it.
const INTERVAL: Duration = Duration::from_secs(1);
/// What a frame may take, in bytes; what is more goes into the next one. It is below the limit of
/// every arbiter.
const ROOM: usize = 512 * 1024;

/// When the next frame is due: never, until it is started.
#[derive(Debug, Default)]
pub struct Reporter {
    is_started: bool,
    due: Option<Instant>,
}

impl Reporter {
    /// The arbiter takes metrics.
    pub fn start(&mut self) {
        self.is_started = true;
    }

    /// Waits until a frame is due. Dropping the wait loses nothing.
    pub async fn due(&mut self) {
        if !self.is_started {
            return std::future::pending().await;
        }
        let due = match self.due {
            Some(due) => due,
            None => {
                metrics::changed().await;
                *self.due.insert(Instant::now() + INTERVAL)
            }
        };
        sleep_until(due).await;
    }

    /// The next frame; none if nothing has changed.
    pub fn take(&mut self) -> Option<Metrics> {
        self.due = None;
        let taken = self.is_started.then(|| metrics::take(ROOM)).flatten();
        // Perhaps not all of it did fit.
        if taken.is_some() {
            self.due = Some(Instant::now() + INTERVAL);
        }
        taken
    }
}
