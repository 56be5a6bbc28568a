//! The one way to wake up at a deadline.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};

use super::Deadline;

/// When to look again if nothing is due: far away, and within what timers count.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// Rings once at a deadline. It holds one timer for its whole life, because a
/// new one for each deadline would cost every call an entry in the timer wheel.
#[derive(Debug)]
pub struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// What it is set to; `None` once it has rung.
    at: Option<Deadline>,
}

impl Alarm {
    /// An alarm that never rings. Needs a runtime with a clock.
    pub fn new() -> Self {
        let sleep = Box::pin(sleep_until((Instant::now() + FAR).into()));
        Self { sleep, at: Some(Deadline::Never) }
    }

    /// Makes it ring at `due`, and no longer at what it was set to before.
    pub fn set(&mut self, due: Deadline) {
        if self.at != Some(due) {
            self.at = Some(due);
            let at = due.instant().unwrap_or_else(|| Instant::now() + FAR);
            self.sleep.as_mut().reset(at.into());
        }
    }

    /// Waits until it rings. It has to be set again after that; cancel safe.
    pub async fn rings(&mut self) {
        self.sleep.as_mut().await;
        self.at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_at_what_it_was_set_to_last() {
        let start = tokio::time::Instant::now();
        let at = |seconds| Deadline::At(start.into_std() + Duration::from_secs(seconds));
        let mut alarm = Alarm::new();
        alarm.set(at(5));
        alarm.set(at(2));
        alarm.set(at(3));
        alarm.rings().await;
        assert_eq!(start.elapsed().as_secs(), 3);
        alarm.set(at(3));
        alarm.rings().await;
        assert_eq!(start.elapsed().as_secs(), 3, "what is over rings at once");
        alarm.set(Deadline::Never);
        tokio::select! {
            () = alarm.rings() => panic!("nothing is due"),
            () = tokio::time::sleep(Duration::from_secs(3600)) => {}
        }
    }
}
