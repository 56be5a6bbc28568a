//! The one type of a deadline.

use std::time::{Duration, Instant};

/// When something is over or due; an earlier deadline is the smaller one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deadline {
    /// At this instant.
    At(Instant),
    /// Not in this life.
    Never,
}

impl Deadline {
    /// `patience` after `now`; [`Never`](Self::Never) if no clock counts so far.
    pub fn after(now: Instant, patience: Duration) -> Self {
        now.checked_add(patience).into()
    }

    /// Whether it has come.
    pub fn is_over(self, now: Instant) -> bool {
        matches!(self, Self::At(at) if at <= now)
    }

    /// The time that is left; zero if it has come, [`Duration::MAX`] for
    /// [`Never`](Self::Never).
    pub fn left(self, now: Instant) -> Duration {
        match self {
            Self::At(at) => at.saturating_duration_since(now),
            Self::Never => Duration::MAX,
        }
    }

    /// The instant, if there is one.
    pub fn instant(self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(at),
            Self::Never => None,
        }
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Self::At(at)
    }
}

impl From<Option<Instant>> for Deadline {
    fn from(at: Option<Instant>) -> Self {
        at.map_or(Self::Never, Self::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_one_is_the_smaller_one_and_never_comes_last() {
        let now = Instant::now();
        let soon = Deadline::after(now, Duration::from_secs(1));
        assert_eq!(soon.min(Deadline::Never), soon);
        assert_eq!(Deadline::after(now, Duration::MAX), Deadline::Never);
        assert!(Deadline::At(now).is_over(now) && !soon.is_over(now));
        assert!(!Deadline::Never.is_over(now + Duration::from_secs(1 << 30)));
        assert_eq!(soon.left(now + Duration::from_secs(5)), Duration::ZERO);
    }
}
