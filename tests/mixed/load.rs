//! A steady load on all pools: calls and streams, whose outcomes are counted.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use dirtyd_client::{Client, Error, Tensor, Value, args};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    deployment::POOLS,
    support::{Daemon, LIMIT, eventually},
};

const CHUNKS: i64 = 5;
/// Of each kind, in each pool: more together than its workers have slots, so that
/// whichever is sent away has calls to finish.
const CALLERS: usize = 3;

/// What became of the calls of one pool.
#[derive(Default)]
struct Tally {
    calls: AtomicU64,
    streams: AtomicU64,
    failed: Mutex<Vec<String>>,
}

impl Tally {
    #[track_caller]
    fn assert_no_failure(&self, pool: &str) {
        let failed = self.failed.lock().expect("no panic").clone();
        assert!(failed.is_empty(), "{pool}: {failed:?}");
    }
}

/// Callers that call one after the other until they are told to stop, or a call
/// fails: some of calls and some of streams for each pool, each on a connection
/// of its own.
pub struct Load {
    stop: watch::Sender<bool>,
    callers: Vec<JoinHandle<()>>,
    tallies: [(&'static str, Arc<Tally>); POOLS.len()],
}

impl Load {
    /// Starts them.
    pub fn start(daemon: &Daemon) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tallies = POOLS.map(|pool| (pool, Arc::<Tally>::default()));
        let mut callers = Vec::new();
        for (pool, tally) in &tallies {
            for is_stream in [false, true].repeat(CALLERS) {
                let caller =
                    keep_calling(daemon.connect(), pool, is_stream, tally.clone(), stopped.clone());
                callers.push(tokio::spawn(caller));
            }
        }
        Self { stop, callers, tallies }
    }

    /// Waits until every pool has served this number of further calls and streams; none may
    /// have failed.
    pub async fn serve(&self, more: u64) {
        for (pool, tally) in &self.tallies {
            for count in [&tally.calls, &tally.streams] {
                let wanted = count.load(Ordering::Relaxed) + more;
                eventually(LIMIT, &format!("{pool} serves {more} more"), async || {
                    tally.assert_no_failure(pool);
                    (count.load(Ordering::Relaxed) >= wanted).then_some(())
                })
                .await;
            }
        }
    }

    /// Stops, and waits for the calls under way; none may have failed.
    pub async fn stop_without_failures(self) {
        self.stop.send_replace(true);
        for caller in self.callers {
            let ended = tokio::time::timeout(LIMIT, caller).await;
            ended.expect("every call has an outcome").expect("no panic");
        }
        for (pool, tally) in self.tallies {
            tally.assert_no_failure(pool);
        }
    }
}

async fn keep_calling(
    client: Client,
    pool: &'static str,
    is_stream: bool,
    tally: Arc<Tally>,
    stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let (count, outcome) = match is_stream {
            false => (&tally.calls, call(&client, pool).await),
            true => (&tally.streams, stream(&client, pool).await),
        };
        match outcome {
            Ok(()) => drop(count.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                return tally.failed.lock().expect("no panic").push(error.to_string());
            }
        }
    }
}

/// One call of a pool's app, with its result.
pub async fn call(client: &Client, pool: &str) -> Result<(), Error> {
    let app = match pool {
        "default" => "lab:Lab",
        "node" => "echo:Echo",
        _ => {
            let whole = client.execute("Mandelbrot", "render", args![4, CHUNKS]).await?;
            let tensor = Tensor::try_from(whole).expect("a tensor");
            assert_eq!(tensor.shape, [CHUNKS, 4]);
            return Ok(());
        }
    };
    assert_eq!(client.execute(app, "echo", args![pool]).await?, Value::from(pool));
    Ok(())
}

/// One stream of a pool's app, to its end.
pub async fn stream(client: &Client, pool: &str) -> Result<(), Error> {
    let mut chunks = match pool {
        "default" => client.stream("lab:Lab", "count", args![CHUNKS]).await?,
        "node" => client.stream("echo:Echo", "count", args![CHUNKS]).await?,
        _ => client.stream("Mandelbrot", "rows", args![4, CHUNKS]).await?,
    };
    let mut next = 0;
    while let Some(chunk) = chunks.next().await {
        match chunk? {
            Value::Tensor(row) => assert_eq!(row.shape, [1, 4]),
            number => assert_eq!(number, Value::from(next)),
        }
        next += 1;
    }
    assert_eq!(next, CHUNKS, "an end that comes early is no end");
    Ok(())
}
