//! The load is spread evenly, and nothing fails under more callers than slots.

use std::{collections::HashMap, time::Instant};

use dirtyd_client::args;

use crate::support::{Daemon, together};

const CONFIG: &str = "workers = 4\n[[app]]\npath = \"lab:Lab\"";

#[tokio::test(flavor = "multi_thread")]
async fn sequential_calls_go_round() {
    let daemon = Daemon::start(CONFIG).await;
    let mut spread = HashMap::<i64, u32>::new();
    for _ in 0..40 {
        let pid = daemon.client().execute("lab:Lab", "pid", args![]).await.expect("pid");
        *spread.entry(pid.as_int().expect("pid")).or_default() += 1;
        // The slot is free once the pool has heard so, a moment after the answer.
        daemon.until("all are idle", |s| s.workers.iter().all(|w| w.in_flight == 0)).await;
    }
    assert_eq!(spread.into_values().collect::<Vec<_>>(), [10; 4], "even to the call");
}

/// `clients` callers at once, each calling again and again.
async fn offered(clients: usize, calls_each: usize) -> Vec<u64> {
    let daemon = Daemon::start(CONFIG).await;
    let began = Instant::now();
    let outcomes = together((0..clients).map(|_| {
        let client = daemon.client();
        async move {
            for _ in 0..calls_each {
                client.execute("lab:Lab", "sleep", args![0.01]).await?;
            }
            Ok::<_, dirtyd_client::Error>(())
        }
    }))
    .await
    .expect("no panic");
    assert!(outcomes.iter().all(Result::is_ok), "no failures: {outcomes:?}");
    let total = (clients * calls_each) as u64;
    let status = daemon.until("all are counted", |status| status.apps[0].served == total).await;
    eprintln!("{clients} clients: {total} calls in {:?}", began.elapsed());
    status.workers.iter().map(|worker| worker.served).collect()
}

fn is_even(spread: &[u64]) {
    let mean = spread.iter().sum::<u64>() / spread.len() as u64;
    // The kernel decides how long each sleep takes; what it does to one worker
    // it does to all, within a fifth.
    for served in spread {
        assert!(served.abs_diff(mean) * 5 <= mean, "{spread:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clients() {
    is_even(&offered(100, 4).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_clients() {
    is_even(&offered(200, 3).await);
}
