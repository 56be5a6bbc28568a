//! How often times fell into ranges: in the buckets of a classic histogram, which fit an
//! echo of 100 µs and a generation of 10 minutes, and in the narrow ones of a native
//! histogram of Prometheus (schema 3: each is 9 % wider than the one before), from which
//! quantiles are read.

use std::time::Duration;

/// The upper bounds of the classic buckets in seconds; one more has no bound.
pub const BOUNDS: [f64; 21] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

/// The same in nanoseconds.
const NANOS: [u64; BOUNDS.len()] = {
    let (mut nanos, mut at) = ([0; BOUNDS.len()], 0);
    while at < BOUNDS.len() {
        nanos[at] = (BOUNDS[at] * 1e9).round() as u64;
        at += 1;
    }
    nanos
};

/// The schema of the native buckets: 2^3 of them for each doubling.
pub const SCHEMA: i32 = 3;
const PER_DOUBLING: i32 = 1 << SCHEMA;
/// The doublings that are told apart: from 1 µs to 34 minutes.
const LOWEST: i32 = -20;
const HIGHEST: i32 = 11;
/// The native buckets, and their number.
const LEN: usize = ((HIGHEST - LOWEST) * PER_DOUBLING) as usize;
/// 2^(i/8): where the buckets of one doubling end.
const STEPS: [f64; 8] = [
    1.0,
    1.090_507_732_665_257_7,
    1.189_207_115_002_721,
    1.296_839_554_651_009_6,
    std::f64::consts::SQRT_2,
    1.542_210_825_407_940_7,
    1.681_792_830_507_429,
    1.834_008_086_409_342_4,
];

/// A histogram of times.
#[derive(Debug, Clone)]
pub struct Histogram {
    classic: [u64; BOUNDS.len() + 1],
    native: Box<[u64; LEN]>,
    /// In nanoseconds: enough for five centuries.
    sum: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { classic: [0; _], native: Box::new([0; LEN]), sum: 0 }
    }
}

impl Histogram {
    /// Counts a time.
    pub fn observe(&mut self, time: Duration) {
        let nanos = nanos(time);
        self.classic[classic_bucket(nanos)] += 1;
        self.native[native_bucket(nanos as f64 * 1e-9)] += 1;
        self.sum = self.sum.saturating_add(nanos);
    }

    /// The number of times in each classic bucket, the one without a bound last; what is
    /// below the bound before is not counted again.
    pub fn classic(&self) -> &[u64; BOUNDS.len() + 1] {
        &self.classic
    }

    /// The native buckets that are not empty: the index that Prometheus gives each, and the
    /// number of times in it.
    pub fn native(&self) -> impl Iterator<Item = (i32, u64)> {
        let filled = self.native.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(at, count)| (index(at), *count))
    }

    /// The sum of all times.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// The number of all times.
    #[cfg(test)]
    pub fn count(&self) -> u64 {
        self.classic.iter().sum()
    }
}

/// Which classic bucket a time belongs to.
pub fn bucket(time: Duration) -> usize {
    classic_bucket(nanos(time))
}

fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into())
}

/// The first classic bucket that a time with so many bits may belong to.
const FIRST: [u8; 65] = {
    let (mut first, mut bits) = ([0; 65], 1);
    while bits <= 64 {
        let least = 1_u64 << (bits - 1);
        let mut bucket = first[bits - 1] as usize;
        while bucket < NANOS.len() && NANOS[bucket] < least {
            bucket += 1;
        }
        first[bits] = bucket as u8;
        bits += 1;
    }
    first
};

fn classic_bucket(nanos: u64) -> usize {
    let mut bucket = FIRST[64 - nanos.leading_zeros() as usize] as usize;
    // A doubling has two bounds at most.
    while bucket < NANOS.len() && NANOS[bucket] < nanos {
        bucket += 1;
    }
    bucket
}

/// The index of a native bucket by Prometheus: bucket `i` ends at 2^(i/8).
fn index(at: usize) -> i32 {
    at as i32 + LOWEST * PER_DOUBLING + 1
}

/// Which native bucket a time belongs to. The last one has no bound.
fn native_bucket(seconds: f64) -> usize {
    let bits = seconds.to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    if exponent < LOWEST {
        return 0;
    }
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    // Bounds belong to the bucket below them.
    let within = STEPS.partition_point(|step| *step < mantissa) as i32;
    let at = (exponent - LOWEST) * PER_DOUBLING + within - 1;
    at.clamp(0, LEN as i32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        times.iter().for_each(|time| histogram.observe(Duration::from_secs_f64(*time)));
        histogram
    }

    #[test]
    fn a_time_falls_into_the_bucket_that_ends_at_it_or_above() {
        for (time, bucket) in
            [(0.0, 0), (0.0001, 0), (0.00011, 1), (1.0, 12), (600.0, 20), (601.0, 21)]
        {
            assert_eq!(of(&[time]).classic()[bucket], 1, "{time}");
        }
        for (time, bucket) in [(1.0, 0), (1.0001, 1), (0.5, -8), (2.0, 8), (1.2, 3), (0.0, -159)] {
            assert_eq!(of(&[time]).native().collect::<Vec<_>>(), [(bucket, 1)], "{time}");
        }
        assert_eq!(of(&[1e9]).native().collect::<Vec<_>>(), [(88, 1)], "the last one has no bound");
    }
}
