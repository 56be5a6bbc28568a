//! A steady load: short calls and streams, each with exactly one outcome that
//! is counted.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use dirtyd::client::{Client, Error, Value, args};
use tokio::{sync::watch, task::JoinHandle};

use crate::family::{Family, LIFE};

const CHUNKS: i64 = 5;

/// What became of the calls.
#[derive(Debug, Default)]
pub struct Tally {
    /// Calls that ended as they should.
    pub served: Cell<u64>,
    /// What the others got.
    pub failed: RefCell<Vec<String>>,
}

/// Callers that call one after the other until they are told to stop.
pub struct Load {
    stop: watch::Sender<bool>,
    callers: Vec<JoinHandle<()>>,
    tally: Rc<Tally>,
}

impl Load {
    /// Starts `callers` of short calls and as many of streams, each on a
    /// connection of its own. Needs a `LocalSet`.
    pub fn start(family: &Family, callers: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tally = Rc::new(Tally::default());
        let callers = (0..2 * callers)
            .map(|n| {
                let (client, stopped) = (family.connect(), stopped.clone());
                let tally = Rc::clone(&tally);
                tokio::task::spawn_local(async move {
                    while !*stopped.borrow() {
                        match call(&client, n as i64).await {
                            Ok(()) => tally.served.set(tally.served.get() + 1),
                            Err(error) => tally.failed.borrow_mut().push(error.to_string()),
                        }
                    }
                })
            })
            .collect();
        Self { stop, callers, tally }
    }

    /// Waits until so many more calls were served.
    pub async fn serve(&self, more: u64) {
        let wanted = self.tally.served.get() + more;
        crate::support::eventually(crate::support::LIMIT, "more calls are served", async || {
            (self.tally.served.get() >= wanted).then_some(())
        })
        .await;
    }

    /// Stops, and waits for the calls under way. A call without an outcome
    /// would hang here, and one with two would be counted twice.
    pub async fn stop(self) -> Rc<Tally> {
        self.stop.send_replace(true);
        for caller in self.callers {
            let ended = tokio::time::timeout(crate::support::LIMIT, caller).await;
            ended.expect("every call has an outcome").expect("no panic");
        }
        self.tally
    }

    /// Stops; no call may have failed.
    pub async fn stop_without_failures(self) {
        let tally = self.stop().await;
        let failed = tally.failed.borrow();
        assert!(failed.is_empty(), "{} served, {failed:?} failed", tally.served.get());
        assert!(tally.served.get() > 0);
    }
}

async fn call(client: &Client, n: i64) -> Result<(), Error> {
    if n % 2 == 0 { short(client, n).await } else { stream(client).await }
}

async fn short(client: &Client, n: i64) -> Result<(), Error> {
    let echoed = client.execute(LIFE, "echo", args![n]).await?;
    assert_eq!(echoed, Value::from(n), "another call's answer");
    Ok(())
}

async fn stream(client: &Client) -> Result<(), Error> {
    let mut chunks = client.stream(LIFE, "count", args![CHUNKS]).await?;
    let mut next = 0;
    while let Some(chunk) = chunks.next().await {
        assert_eq!(chunk?, Value::from(next), "another call's chunk");
        next += 1;
    }
    assert_eq!(next, CHUNKS, "an end that comes early is no end");
    Ok(())
}
