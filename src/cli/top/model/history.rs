//! What earlier pictures have said: the lengths of queues over the last minutes, and
//! counters whose growth is a rate.
//!
//! Calls per second, and the times of calls, are the status' own, over its last minute.
//! Failures per second and processor time are differences between pictures.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant, SystemTime},
};

use super::Picture;
use crate::cli::shown::duration;

/// How far back the lengths of queues are shown.
const DEPTHS: Duration = Duration::from_secs(300);
/// The most of them that are kept, however short the interval is.
const MOST_DEPTHS: usize = 600;
/// The time over which failures are counted.
const FAILURES: Duration = Duration::from_secs(30);
/// The time over which processor time is measured.
const PROCESSOR: Duration = Duration::from_secs(4);

/// What earlier pictures of one dirty arbiter have said.
#[derive(Debug, Default)]
pub struct History {
    /// Which dirty arbiter: its process id, and when it started. Another one counts anew.
    of: Option<(i32, Option<SystemTime>)>,
    apps: BTreeMap<String, OfApp>,
    workers: BTreeMap<u64, Growth>,
    arbiter: Growth,
}

#[derive(Debug, Default)]
struct OfApp {
    depths: VecDeque<(Instant, u32)>,
    failed: Growth,
}

/// A number that grows, at some moments.
#[derive(Debug, Default)]
struct Growth(VecDeque<(Instant, f64)>);

impl Growth {
    /// Adds a value, and forgets those that are older than `window` but for one.
    fn add(&mut self, at: Instant, value: f64, window: Duration) {
        self.0.push_back((at, value));
        while self.0.get(1).is_some_and(|(next, _)| at.duration_since(*next) >= window) {
            self.0.pop_front();
        }
    }

    fn per_second(&self) -> Option<f64> {
        let (from, before) = self.0.front()?;
        let (to, after) = self.0.back()?;
        let seconds = to.duration_since(*from).as_secs_f64();
        (seconds > 0.0).then(|| ((after - before) / seconds).max(0.0))
    }
}

impl History {
    /// Takes what a picture says.
    pub(super) fn add(&mut self, picture: &Picture) {
        let Picture { taken, status, .. } = picture;
        let Some(arbiter) = &status.arbiter else { return };
        let started = arbiter.started_at.and_then(|at| SystemTime::try_from(at).ok());
        let of = Some((arbiter.pid, started));
        if self.of != of {
            // The lengths of queues mean the same in another arbiter; counters do not.
            self.of = of;
            self.workers.clear();
            self.arbiter = Growth::default();
            self.apps.values_mut().for_each(|app| app.failed = Growth::default());
        }
        if let Some(used) = arbiter.cpu_time {
            self.arbiter.add(*taken, duration(Some(used)).as_secs_f64(), PROCESSOR);
        }
        self.workers.retain(|id, _| status.workers.iter().any(|worker| worker.id == *id));
        for worker in &status.workers {
            let Some(used) = worker.cpu_time else { continue };
            let growth = self.workers.entry(worker.id).or_default();
            growth.add(*taken, duration(Some(used)).as_secs_f64(), PROCESSOR);
        }
        self.apps.retain(|path, _| status.apps.iter().any(|app| app.app == *path));
        for app in &status.apps {
            let row = self.apps.entry(app.app.clone()).or_default();
            row.failed.add(*taken, app.failed as f64, FAILURES);
            row.depths.push_back((*taken, app.queued));
            let is_old = |(at, _): &(Instant, u32)| taken.duration_since(*at) > DEPTHS;
            while row.depths.len() > MOST_DEPTHS || row.depths.front().is_some_and(is_old) {
                row.depths.pop_front();
            }
        }
    }

    /// The failures of an app per second; unknown before the second picture.
    pub fn failed_per_second(&self, app: &str) -> Option<f64> {
        self.apps.get(app)?.failed.per_second()
    }

    /// The processors that a worker uses: 1.0 is all of one.
    pub fn processors(&self, worker: u64) -> Option<f64> {
        self.workers.get(&worker)?.per_second()
    }

    /// The processors that the dirty arbiter uses.
    pub fn processors_of_arbiter(&self) -> Option<f64> {
        self.arbiter.per_second()
    }

    /// The longest lengths of an app's queue in so many equal parts of the last minutes,
    /// the latest at the end. Nothing is known of the time before the first picture.
    pub fn depths(&self, app: &str, now: Instant, parts: usize) -> Vec<Option<u32>> {
        let mut longest = vec![None; parts];
        let Some(row) = self.apps.get(app) else { return longest };
        let part = DEPTHS.as_secs_f64() / parts.max(1) as f64;
        for (at, depth) in &row.depths {
            let ago = (now.saturating_duration_since(*at).as_secs_f64() / part) as usize;
            let Some(index) = parts.checked_sub(ago + 1) else { continue };
            longest[index] = longest[index].max(Some(*depth));
        }
        longest
    }
}
