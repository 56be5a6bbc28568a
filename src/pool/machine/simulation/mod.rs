//! The pool's machine in a simulated world: workers, callers, operators, faults
//! and the clock are drawn by a seed, and the promises of the design are checked
//! after every step.
//!
//! ```text
//!   plan      what callers, operators and fate are going to do, from a seed
//!   world     virtual time, and who acts next
//!   steps     what each of them does
//!   worker    a worker's task and its process, as the pool sees them
//!   promises  what must hold after each step, and in the end
//!   story     the trace of a seed that broke a promise
//! ```
//!
//! The same seed makes the same story, always. A plan that breaks a promise is
//! made smaller as long as it still does, and then told step by step.

mod plan;
mod promises;
mod steps;
mod story;
mod worker;
mod world;

use self::{plan::Plan, world::World};
pub use story::{Failure, Stats};

/// Plays the story of a seed.
///
/// # Errors
/// A promise was broken: the smallest plan that breaks it, told as a story.
pub fn story(seed: u64) -> Result<Stats, Box<Failure>> {
    let plan = Plan::draw(seed);
    match World::new(&plan).play() {
        Ok(stats) => Ok(stats),
        Err(_) => Err(Box::new(Failure::tell(plan))),
    }
}

#[cfg(test)]
mod tests {
    /// A few hundred stories with each run of the unit tests; `make sim` plays
    /// as many as one likes.
    #[test]
    fn no_story_breaks_a_promise() {
        for seed in 0..500 {
            if let Err(failure) = super::story(seed) {
                panic!("{failure}");
            }
        }
    }
}
