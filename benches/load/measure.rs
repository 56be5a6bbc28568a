//! Runs callers and says how long their calls took.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use tokio::task::LocalSet;

use crate::target::Caller;

/// A caller that fails so often gives up.
const PATIENCE: usize = 20;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// After this number of calls, of all callers together.
    Calls(usize),
    /// After a time, the first part of which is not counted.
    Time { warmup: Duration, counted: Duration },
}

/// The calls that are left to make.
#[derive(Clone)]
struct Budget {
    calls: Option<Rc<Cell<usize>>>,
    counts_from: Instant,
    until: Option<Instant>,
}

impl Budget {
    fn new(limit: Limit) -> Self {
        let now = Instant::now();
        match limit {
            Limit::Calls(calls) => {
                Self { calls: Some(Rc::new(Cell::new(calls))), counts_from: now, until: None }
            }
            Limit::Time { warmup, counted } => {
                Self { calls: None, counts_from: now + warmup, until: Some(now + warmup + counted) }
            }
        }
    }

    /// Whether a call that ends now is counted.
    fn counts(&self) -> bool {
        let now = Instant::now();
        now >= self.counts_from && self.until.is_none_or(|until| now < until)
    }

    fn take(&self) -> bool {
        match &self.calls {
            Some(left) if left.get() == 0 => false,
            Some(left) => {
                left.set(left.get() - 1);
                true
            }
            None => self.until.is_none_or(|until| Instant::now() < until),
        }
    }
}

/// What one caller or reader saw.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    firsts: Vec<Duration>,
    chunks: usize,
    /// All calls, those of the warm-up and after the end included.
    made: usize,
    failures: Vec<String>,
}

/// Calls until the limit.
pub async fn calls(callers: Vec<Caller>, limit: Limit) -> Json {
    run(callers, limit, async |caller, seen, budget| {
        let start = Instant::now();
        caller.call().await?;
        if budget.counts() {
            seen.latencies.push(start.elapsed());
        }
        Ok(())
    })
    .await
}

/// Reads streams until the limit.
pub async fn streams(callers: Vec<Caller>, limit: Limit) -> Json {
    run(callers, limit, async |caller, seen, budget| {
        let (start, mut first, mut chunks) = (Instant::now(), None, 0);
        caller
            .stream(|| {
                first.get_or_insert_with(|| start.elapsed());
                chunks += usize::from(budget.counts());
            })
            .await?;
        seen.chunks += chunks;
        if budget.counts() {
            seen.latencies.push(start.elapsed());
            seen.firsts.extend(first);
        }
        Ok(())
    })
    .await
}

async fn run<F>(callers: Vec<Caller>, limit: Limit, once: F) -> Json
where
    F: AsyncFn(&mut Caller, &mut Seen, &Budget) -> anyhow::Result<()> + 'static,
{
    let (budget, once) = (Budget::new(limit), Rc::new(once));
    let local = LocalSet::new();
    let tasks: Vec<_> = (callers.into_iter())
        .map(|mut caller| {
            let (budget, once) = (budget.clone(), Rc::clone(&once));
            local.spawn_local(async move {
                let mut seen = Seen::default();
                while seen.failures.len() < PATIENCE && budget.take() {
                    match once(&mut caller, &mut seen, &budget).await {
                        Ok(()) => seen.made += 1,
                        Err(error) => seen.failures.push(format!("{error:#}")),
                    }
                }
                seen
            })
        })
        .collect();
    let (all, ended) = local
        .run_until(async {
            let mut all = Seen::default();
            for task in tasks {
                let seen = task.await.expect("no caller panics");
                all.latencies.extend(seen.latencies);
                all.firsts.extend(seen.firsts);
                all.failures.extend(seen.failures);
                all.chunks += seen.chunks;
                all.made += seen.made;
            }
            (all, Instant::now())
        })
        .await;
    // What ends after the time is not counted, so that it does not stretch it.
    let end = budget.until.unwrap_or(ended);
    let seconds = end.duration_since(budget.counts_from).as_secs_f64();
    json!({
        "calls": all.latencies.len(),
        "made": all.made,
        "seconds": seconds,
        "per_second": all.latencies.len() as f64 / seconds,
        "p50_us": percentile(&mut all.latencies.clone(), 50),
        "p99_us": percentile(&mut all.latencies.clone(), 99),
        "chunks": all.chunks,
        "chunks_per_second": all.chunks as f64 / seconds,
        "first_p50_us": percentile(&mut all.firsts.clone(), 50),
        "first_p99_us": percentile(&mut all.firsts.clone(), 99),
        "failures": all.failures.len(),
        "failure": all.failures.first(),
    })
}

/// A percentile in microseconds; null of nothing.
pub fn percentile(values: &mut [Duration], percent: usize) -> Option<f64> {
    let at = (values.len() * percent / 100).min(values.len().checked_sub(1)?);
    let (_, value, _) = values.select_nth_unstable(at);
    Some(value.as_secs_f64() * 1e6)
}
