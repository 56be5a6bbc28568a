//! The processor time of seats: that of the workers that have had them, so that it does
//! not fall when one leaves. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::pool::WorkerSnapshot;

/// The seats that are kept, those of earlier configurations included.
const MOST: usize = 8192;

/// The processor time of workers, by their seats.
#[derive(Debug, Default)]
pub struct CpuBySeat {
    /// Of workers that are gone, as they were last seen.
    gone: BTreeMap<(String, usize), Duration>,
    there: BTreeMap<u64, ((String, usize), Duration)>,
}

impl CpuBySeat {
    /// The workers that are there, each with its time. Returns the times of all seats.
    pub fn look(&mut self, workers: &[WorkerSnapshot]) -> Vec<(String, usize, Duration)> {
        let ids: BTreeSet<u64> = workers.iter().map(|worker| worker.worker.id).collect();
        let (gone, seats) = (&mut self.gone, self.there.len());
        self.there.retain(|id, (seat, time)| {
            let stays = ids.contains(id);
            if !stays && (gone.contains_key(seat) || gone.len() + seats < MOST) {
                *gone.entry(seat.clone()).or_default() += *time;
            }
            stays
        });
        for worker in workers {
            let seat = (worker.pool.clone(), worker.seat);
            let (_, time) = self.there.entry(worker.worker.id).or_insert((seat, Duration::ZERO));
            // One that cannot be read any more is as it was.
            *time = worker.cpu_time.max(*time);
        }
        let mut all = self.gone.clone();
        for (seat, time) in self.there.values() {
            *all.entry(seat.clone()).or_default() += *time;
        }
        all.into_iter().map(|((pool, seat), time)| (pool, seat, time)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{call::WorkerRef, pool::WorkerState};

    fn worker(id: u64, seconds: u64) -> WorkerSnapshot {
        WorkerSnapshot {
            worker: WorkerRef { id, pid: 1 },
            pool: "default".to_owned(),
            state: WorkerState::Ready,
            apps: Vec::new(),
            failed_apps: Vec::new(),
            in_flight: 0,
            threads: 1,
            abandoned: 0,
            served: 0,
            age: Duration::ZERO,
            memory: 0,
            cpu_time: Duration::from_secs(seconds),
            seat: 0,
        }
    }

    #[test]
    fn the_time_of_a_seat_does_not_fall_when_its_worker_is_replaced() {
        let mut seats = CpuBySeat::default();
        let mut look = |workers: &[WorkerSnapshot]| match &seats.look(workers)[..] {
            [(_, 0, time)] => time.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(look(&[worker(1, 5)]), 5);
        assert_eq!(look(&[worker(1, 7), worker(2, 1)]), 8, "one drains, another has its seat");
        assert_eq!(look(&[worker(2, 2)]), 9);
        assert_eq!(look(&[worker(2, 0)]), 9, "a process that has just ended reads as zero");
        assert_eq!(look(&[worker(3, 1)]), 10);
    }
}
