//! What crosses on its way to the task: calls and their cancels.

use std::time::Instant;

use super::start;
use crate::{
    call::{CallRequest, reply_channel, stream_channel},
    config::{Config, Flags, Raw},
};
use bytes::Bytes;

/// Workers that never say hello.
fn config(workers: u32) -> Config {
    let apps = vec!["app:App".parse().expect("a path")];
    let flags = Flags { apps, workers: Some(workers), ..Flags::default() };
    let mut config = Config::from_raw(Raw::from_flags(flags)).expect("valid");
    config.pools[0].command = ["sleep", "1000"].map(str::to_owned).to_vec();
    config
}

fn request() -> CallRequest {
    CallRequest {
        app: "app:App".to_owned(),
        action: "act".to_owned(),
        payload: Bytes::new(),
        arrived: Instant::now(),
        caller_deadline: None,
        request_id: String::new(),
        metadata: Vec::new(),
    }
}

#[tokio::test]
async fn a_cancel_that_is_looked_at_before_its_call_is_not_lost() {
    let (pool, _task) = start(&config(1));
    let (stays, _answer) = reply_channel();
    let _ticket = pool.submit(request(), stays).await;
    let (unary, answer) = reply_channel();
    let (stream, chunks) = stream_channel(1);
    let left = (pool.submit(request(), unary).await, pool.submit(request(), stream).await);
    drop((answer, chunks, left));
    let status = pool.status().await.expect("it runs");
    assert_eq!(status.calls, 1, "only the one that somebody waits for");
}
