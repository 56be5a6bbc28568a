//! Whether the collector takes what it is sent, so that the log says once that it does not,
//! and once that it does again.

use std::time::{Duration, Instant};

/// The state of one kind of data: a collector may take traces and no metrics.
#[derive(Debug, Default)]
pub struct Contact {
    failing_since: Option<Instant>,
}

impl Contact {
    /// Something was not taken. Returns whether that is new.
    pub fn failed(&mut self, now: Instant) -> bool {
        let is_new = self.failing_since.is_none();
        self.failing_since.get_or_insert(now);
        is_new
    }

    /// Something was taken. Returns for how long nothing was, if that is over now.
    pub fn took(&mut self, now: Instant) -> Option<Duration> {
        self.failing_since.take().map(|since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_is_gone_and_comes_back_is_told_of_once_each() {
        let start = Instant::now();
        let mut contact = Contact::default();
        assert_eq!(contact.took(start), None, "that it is there is no news");
        assert!(contact.failed(start));
        assert!((1..100).all(|later| !contact.failed(start + Duration::from_secs(later))));
        let back = start + Duration::from_secs(100);
        assert_eq!(contact.took(back), Some(Duration::from_secs(100)));
        assert_eq!(contact.took(back), None);
        assert!(contact.failed(back));
    }
}
