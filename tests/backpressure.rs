//! A reader that stops reading stops the generator, is ended after `timeout`,
//! and costs no memory and no worker.

use std::{fs, time::Duration};

use dirtyd_client::{Client, Reason, Value, args};
use tonic::Code;

use crate::support::{Daemon, LIMIT, eventually, failure};

/// 64 KiB a chunk: what fits into 2 MiB is 32.
const CHUNK: i32 = 64 * 1024;
/// What may be under way to a reader of the Rust client beyond the credit: a
/// megabyte of HTTP/2 window, and what the sockets and the edge hold.
const SLACK: u64 = (3 << 20) / CHUNK as u64;
const WINDOW: u64 = 8;

fn progress(daemon: &Daemon) -> u64 {
    let text = fs::read_to_string(daemon.path("f.progress")).unwrap_or_default();
    text.parse().unwrap_or(0)
}

/// Waits until the generator has stopped at some number.
async fn stopped(daemon: &Daemon) -> u64 {
    let (mut last, mut same) = (0, 0);
    eventually(LIMIT, "the generator stops", async || {
        let now = progress(daemon);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        (same == 50).then_some(now)
    })
    .await
}

async fn flood(client: &Client) -> dirtyd_client::Stream {
    client.stream("lab:Lab", "flood", args!["f", CHUNK]).await.expect("stream")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_holds_the_window_and_is_ended_after_the_timeout() {
    let daemon = Daemon::start(&format!(
        "timeout = \"2s\"\nstream_window = {WINDOW}\n[[app]]\npath = \"lab:Lab\""
    ))
    .await;
    let client = daemon.client();
    let pid = client.execute("lab:Lab", "pid", args![]).await.expect("pid");
    let mut stream = flood(&daemon.connect()).await;
    let reached = stopped(&daemon).await;
    assert!(reached <= WINDOW + SLACK, "{reached} chunks with nobody reading");

    // The timeout closes the generator and frees the worker.
    daemon.seen("f.closed").await;
    let after = client.execute("lab:Lab", "pid", args![]).await.expect("pid");
    assert_eq!(after, pid, "the worker was not replaced");
    assert_eq!(progress(&daemon), reached, "it never went on");
    let ended = loop {
        match stream.next().await.expect("an outcome") {
            Ok(_) => {}
            Err(error) => break Err::<(), _>(error),
        }
    };
    let stalled = failure(ended, Code::DeadlineExceeded, Reason::ExecutionTimeout);
    assert!(stalled.message.contains("read nothing"), "{}", stalled.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_everything_in_order() {
    let config = format!("timeout = \"2s\"\nstream_window = {WINDOW}\n[[app]]\npath = \"lab:Lab\"");
    let daemon = Daemon::start(&config).await;
    let mut stream = daemon.client().stream("lab:Lab", "count", args![200]).await.expect("stream");
    for number in 0..200 {
        if number % 50 == 0 {
            // Time in which a reader that was not held back would be overrun.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(stream.next().await.expect("chunk").expect("no error"), Value::from(number));
    }
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_nobody_reads_does_not_grow_the_arbiter() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let before = daemon.status().await.arbiter.expect("arbiter").memory_bytes;
    let client = daemon.connect();
    let _stream = flood(&client).await;
    stopped(&daemon).await;
    let after = daemon.status().await.arbiter.expect("arbiter").memory_bytes;
    let grown = after.saturating_sub(before) >> 20;
    assert!(grown < 16, "{grown} MiB more");
}
