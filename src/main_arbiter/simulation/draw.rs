//! What is drawn from a seed.

use std::time::Duration;

/// Random numbers that the seed determines.
#[derive(Debug)]
pub(super) struct Draw(fastrand::Rng);

impl Draw {
    /// Those of a seed.
    pub(super) fn of(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.0.u32(0..n) == 0
    }

    /// One of several.
    pub(super) fn one_of<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.0.usize(0..several.len())]
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0.usize(0..n)
    }

    /// A time up to `longest`, each alike.
    pub(super) fn up_to(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.0.u64(0..=longest.as_micros() as u64))
    }

    /// A time up to `longest`, where one half lies below a thousandth of it.
    pub(super) fn often_short(&mut self, longest: Duration) -> Duration {
        let longest = if self.one_in(2) { longest } else { longest / 1000 };
        self.up_to(longest)
    }

    /// Brings several into any order.
    pub(super) fn shuffle<T>(&mut self, several: &mut [T]) {
        self.0.shuffle(several);
    }
}
