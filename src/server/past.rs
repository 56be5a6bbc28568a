//! Keeps the past of all calls: a step of the history every few seconds, from what the pool
//! knows of the apps and how their calls ended.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use super::locked::locked;
use crate::{
    histogram::Histogram,
    observe::{
        Observer,
        history::{AppFigures, History, Minute, STEP},
        recent::RecentCalls,
    },
    pool::{PoolHandle, Snapshot},
};

/// The past of all calls.
#[derive(Debug)]
pub struct Past {
    pool: PoolHandle,
    observer: Arc<Observer>,
    history: Mutex<History>,
}

impl Past {
    /// That of a pool that has just started.
    pub fn new(pool: PoolHandle, observer: Arc<Observer>) -> Arc<Self> {
        Arc::new(Self { pool, observer, history: Mutex::new(History::new(Instant::now())) })
    }

    /// Steps the history until the pool has ended.
    pub async fn keep(self: Arc<Self>) {
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            let Some(snapshot) = self.pool.status().await else { return };
            self.step(&snapshot);
        }
    }

    fn step(&self, snapshot: &Snapshot) {
        let (tally, none) = (self.observer.tally(), Histogram::default());
        let figures = snapshot.apps.iter().map(|app| {
            let calls = tally.apps.get(&app.app);
            AppFigures {
                app: &app.app,
                ended: calls.map_or(0, |calls| calls.ended),
                failed: calls.map_or(0, |calls| calls.failed),
                queued: app.queued as u64,
                running: app.running.into(),
                queue_wait: calls.map_or(&none, |calls| &calls.queue_wait.histogram),
                run_time: calls.map_or(&none, |calls| &calls.run_time.histogram),
            }
        });
        let figures: Vec<_> = figures.collect();
        locked(&self.history).step(Instant::now(), &figures);
    }

    /// An app over the last minute, if it is kept apart from others.
    pub fn minute(&self, app: &str) -> Option<Minute> {
        locked(&self.history).minute(app)
    }

    /// Looks at it.
    pub fn look<T>(&self, look: impl FnOnce(&History, &RecentCalls) -> T) -> T {
        look(&locked(&self.history), &self.observer.recent())
    }
}
