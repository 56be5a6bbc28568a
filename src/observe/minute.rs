//! The times of the last minute in little room: how many fell into each native bucket of a
//! [`Histogram`], a quarter of the minute at a time.

use std::time::Duration;

use crate::histogram::{Histogram, SCHEMA};

/// The number of native buckets, and the index of the first by Prometheus.
const LEN: usize = 248;
const FIRST: i32 = -159;
/// The parts in which the minute passes on.
const PARTS: usize = 4;
/// How long a part is.
pub const PART: Duration = Duration::from_secs(15);

/// How many times fell into each bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts([u32; LEN]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; LEN])
    }
}

impl Counts {
    /// Those of a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        let mut counts = Self::default();
        counts.add_histogram(histogram);
        counts
    }

    /// Adds those of a histogram. A count of more than 2^32 begins again, which
    /// [`since`](Self::since) knows.
    pub fn add_histogram(&mut self, histogram: &Histogram) {
        for (index, count) in histogram.native() {
            let at = (index - FIRST).clamp(0, LEN as i32 - 1) as usize;
            self.0[at] = self.0[at].wrapping_add(count as u32);
        }
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        let pairs = self.0.iter_mut().zip(&others.0);
        pairs.for_each(|(own, other)| *own = own.wrapping_add(*other));
    }

    /// What has come since `before`. What has become less counts as nothing new.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        for (now, then) in since.0.iter_mut().zip(&before.0) {
            let more = now.wrapping_sub(*then);
            *now = if more > u32::MAX / 2 { 0 } else { more };
        }
        since
    }

    /// Where this part of all, from 0 to 1, came to an end.
    pub fn quantile(&self, part: f64) -> Bucket {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let rank = ((all as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        Bucket(at.map_or(0, |at| at as u8 + 1))
    }
}

/// A bucket, or none, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket(u8);

impl Bucket {
    /// The time at which it ends. `None` if it is none.
    pub fn time(self) -> Option<Duration> {
        let at = i32::from(self.0.checked_sub(1)?);
        let doublings = f64::from(at + FIRST) / f64::from(1 << SCHEMA);
        Some(Duration::from_secs_f64(doublings.exp2()))
    }
}

/// The times of the last minute: of the last 45 to 60 seconds, as it passes on in parts.
#[derive(Debug, Clone, Default)]
pub struct LastMinute {
    /// The newest is first.
    parts: Box<[Counts; PARTS]>,
}

impl LastMinute {
    /// Adds times that came just now.
    pub fn add(&mut self, counts: &Counts) {
        self.parts[0].add(counts);
    }

    /// So many parts have passed.
    pub fn pass(&mut self, parts: usize) {
        for _ in 0..parts.min(PARTS) {
            self.parts.rotate_right(1);
            self.parts[0] = Counts::default();
        }
    }

    /// All of them.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        self.parts.iter().for_each(|part| all.add(part));
        all
    }

    /// The bytes that one takes.
    pub const BYTES: usize = size_of::<Self>() + PARTS * size_of::<Counts>();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[Duration]) -> Histogram {
        let mut histogram = Histogram::default();
        times.iter().for_each(|time| histogram.observe(*time));
        histogram
    }

    #[test]
    fn a_quantile_is_nine_percent_too_long_at_most() {
        let times: Vec<_> = (1..=1000).map(Duration::from_millis).collect();
        let all = Counts::of(&of(&times));
        for (part, exact) in [(0.5, 0.5), (0.99, 0.99), (0.0, 0.001), (1.0, 1.0)] {
            let read = all.quantile(part).time().expect("times").as_secs_f64();
            assert!((exact..=exact * 1.0906).contains(&read), "{part}: {read}");
        }
        for (time, ends) in [(Duration::ZERO, 1.04e-6), (Duration::from_secs(1 << 20), 2048.0)] {
            let read = Counts::of(&of(&[time])).quantile(1.0).time().expect("a time");
            assert!((read.as_secs_f64() / ends - 1.0).abs() < 0.01, "{read:?}: first and last");
        }
        assert_eq!(Counts::default().quantile(0.5).time(), None);
    }

    #[test]
    fn a_count_that_begins_again_or_falls_adds_nothing_wrong() {
        let (mut before, mut now) = (Counts::default(), Counts::default());
        (before.0[7], now.0[7]) = (u32::MAX, 1);
        (before.0[8], now.0[8]) = (10, 3);
        let since = now.since(&before);
        assert_eq!((since.0[7], since.0[8]), (2, 0));
    }

    #[test]
    fn a_minute_passes_on_in_quarters() {
        let mut minute = LastMinute::default();
        minute.add(&Counts::of(&of(&[Duration::from_secs(1)])));
        minute.pass(3);
        assert!(minute.counts().quantile(0.5).time().is_some());
        minute.pass(1);
        assert_eq!(minute.counts(), Counts::default());
        minute.add(&Counts::of(&of(&[Duration::from_secs(1)])));
        minute.pass(usize::MAX);
        assert_eq!(minute.counts(), Counts::default());
    }
}
