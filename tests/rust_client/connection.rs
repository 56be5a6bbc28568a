//! One connection for everything that a client and its clones do.

use dirtyd_client::{Client, Value, args};

use super::{APP, daemon};
use crate::support::Daemon;

async fn connections(daemon: &Daemon) -> u32 {
    daemon.status().await.arbiter.expect("it tells of itself").connections
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_in_many_tasks_share_one_connection() {
    let daemon = daemon().await;
    let others = connections(&daemon).await;
    // More than max_queue would take at once.
    let client = Client::connect(daemon.socket()).with_retries(1000);
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let client = client.clone().with_metadata("caller", number.to_string());
            tokio::spawn(async move { client.execute(APP, "echo", args![number]).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let echoed = call.await.expect("no panic").expect("echo");
        assert_eq!(echoed, Value::from(number as i64), "never the answer to another's call");
    }
    let mut chunks = client.stream(APP, "count", args![3]).await.expect("a stream");
    while let Some(chunk) = chunks.next().await {
        chunk.expect("a chunk");
    }
    assert_eq!(connections(&daemon).await, others + 1);
}
