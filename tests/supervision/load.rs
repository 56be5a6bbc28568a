//! A steady load: short calls and streams, each with exactly one outcome that
//! is counted.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use dirtyd_client::{Args, Client, Error, Tensor, Value, args};
use tokio::{sync::watch, task::JoinHandle};

use crate::family::{Family, LIFE};

const CHUNKS: i64 = 5;
/// What a caller waits after a failure, as callers should.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of the calls.
#[derive(Debug, Default)]
pub struct Tally {
    /// Calls that were made.
    pub begun: Cell<u64>,
    /// Calls that ended as they should.
    pub served: Cell<u64>,
    /// What the others got.
    pub failed: RefCell<Vec<String>>,
}

/// Who serves the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `life:Life`, in Python.
    Life,
    /// `Mandelbrot`, of `examples/rust`.
    Mandelbrot,
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
        Self::of(family, Service::Life, callers)
    }

    /// The same of another service.
    pub fn of(family: &Family, service: Service, callers: usize) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tally = Rc::new(Tally::default());
        let callers = (0..2 * callers)
            .map(|n| {
                let (client, stopped) = (family.connect(), stopped.clone());
                let tally = Rc::clone(&tally);
                tokio::task::spawn_local(async move {
                    while !*stopped.borrow() {
                        tally.begun.set(tally.begun.get() + 1);
                        match service.call(&client, n as i64).await {
                            Ok(()) => tally.served.set(tally.served.get() + 1),
                            Err(error) => {
                                tally.failed.borrow_mut().push(error.to_string());
                                tokio::time::sleep(PAUSE).await;
                            }
                        }
                    }
                })
            })
            .collect();
        Self { stop, callers, tally }
    }

    /// Waits until this number of further calls were served.
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

impl Service {
    /// A short call or a stream, by turns; what comes back is its caller's.
    pub async fn call(self, client: &Client, n: i64) -> Result<(), Error> {
        match (self, n % 2 == 0) {
            (Self::Life, true) => {
                let echoed = client.execute(LIFE, "echo", args![n]).await?;
                assert_eq!(echoed, Value::from(n), "another call's answer");
                Ok(())
            }
            (Self::Life, false) => {
                let is_next = |chunk, number| chunk == Value::from(number);
                stream(client, LIFE, "count", args![CHUNKS], is_next).await
            }
            (Self::Mandelbrot, true) => {
                let rendered = client.execute("Mandelbrot", "render", args![n + 1, 1]).await?;
                assert!(is_row(rendered, n + 1), "another call's answer");
                Ok(())
            }
            (Self::Mandelbrot, false) => {
                let is_ours = |chunk, _| is_row(chunk, n + 1);
                stream(client, "Mandelbrot", "rows", args![n + 1, CHUNKS], is_ours).await
            }
        }
    }
}

async fn stream(
    client: &Client,
    app: &str,
    action: &str,
    args: Args,
    is_ours: impl Fn(Value, i64) -> bool,
) -> Result<(), Error> {
    let mut chunks = client.stream(app, action, args).await?;
    let mut next = 0;
    while let Some(chunk) = chunks.next().await {
        assert!(is_ours(chunk?, next), "another call's chunk");
        next += 1;
    }
    assert_eq!(next, CHUNKS, "an end that comes early is no end");
    Ok(())
}

fn is_row(value: Value, width: i64) -> bool {
    Tensor::try_from(value).is_ok_and(|tensor| tensor.shape == [1, width])
}
