//! What callers, operators and fate do.

use std::sync::Arc;

use super::{
    plan::{APPS, POOLS, Step},
    promises::Broken,
    world::{Caller, World},
};
use crate::pool::{
    ScaleTo,
    machine::{Event, ids::WorkerId},
};

impl World<'_> {
    /// Somebody does one thing.
    pub fn step(&mut self, step: &Step) -> Result<(), Broken> {
        match step {
            Step::Call(call) => self.call(call),
            Step::Scale { pool, workers } => {
                let pool = POOLS.get(*pool).copied().unwrap_or_default().to_owned();
                self.on(Event::Scale { pool, change: ScaleTo::Workers(*workers) })
            }
            Step::Reload { release, pool } => {
                // What the code does is new even if the configuration is refused.
                self.release = Arc::clone(release);
                self.failures = [0; APPS.len()];
                // Queues may become others; everybody's turns begin anew.
                self.passed_over.clear();
                let pool = pool.map_or("", |pool| POOLS[pool]).to_owned();
                self.on(Event::Reload { config: Box::new(release.config.clone()), pool })
            }
            Step::Drain { patience } => self.drain(*patience),
            Step::GiveWay => self.give_way(),
            Step::Crash { nth } => {
                let alive = self.workers.iter().filter(|(_, worker)| !worker.is_dead());
                let alive: Vec<WorkerId> = alive.map(|(id, _)| *id).collect();
                let Some(id) = alive.get(nth % alive.len().max(1)).copied() else { return Ok(()) };
                self.stats.crashes += 1;
                self.tell_story(|| format!("worker {id} dies of a signal"));
                self.act(id, |worker, wishes| {
                    worker.crash(wishes);
                })
            }
            Step::CancelCall { nth } => {
                let waits = |caller: &&Caller| !caller.has_answer;
                let waiting = self.callers.iter().filter(|(_, caller)| waits(caller));
                let Some(id) = waiting.map(|(id, _)| *id).nth(*nth) else { return Ok(()) };
                self.on(Event::CancelCall(id))
            }
            Step::Restart { nth } => {
                let id = self.workers.keys().nth(*nth).copied().unwrap_or(u64::MAX);
                self.on(Event::Restart(id))
            }
            Step::NoProcess => {
                self.no_process += 1;
                Ok(())
            }
            Step::Freeze { pause } => {
                self.tell_story(|| format!("the machine stands still for {pause:?}"));
                self.now += *pause;
                self.drained_by = self.drained_by.map(|by| by + *pause);
                Ok(())
            }
        }
    }
}
