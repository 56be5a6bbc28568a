//! The console: what operators open beside the socket of callers, at `[observe] listen`.
//! It serves `/metrics`, `/healthz`, `/readyz` and the live page over HTTP/1.1, on the
//! loopback or on a Unix socket, and takes no calls.
//!
//! ```text
//!   listener ─> door: who comes, and what that one may ─> http: what is asked for
//!                                                          │
//!        page: what a browser loads    feed: what is new  <┴>  operate: what a page may do
//! ```

mod door;
mod feed;
mod http;
mod listener;
mod operate;
mod page;
mod source;

use std::{io, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, watch};

use self::{door::Door, feed::Feed, listener::ConsoleListener};
use crate::{
    config::{Config, ObserveAddress},
    server::Insight,
};

/// Connections at once. One more is closed: whoever watches, a hundred pages fit.
const MOST_CONNECTIONS: usize = 256;
/// How long to wait until the address is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Serves the console once `serves` says that this arbiter serves, until it says that another
/// one does. An address that another program has is tried again and again: calls are worth
/// more than who watches them.
///
/// # Errors
/// The token cannot be read.
pub fn start(config: &Config, insight: Insight, serves: watch::Receiver<bool>) -> io::Result<()> {
    let Some(address) = config.observe.listen.clone() else { return Ok(()) };
    let (feed, fed) = feed::feed(insight.clone(), insight.admin.events());
    let console = Console { door: Door::new(config)?, insight, feed };
    tokio::spawn(fed);
    tokio::spawn(run(Arc::new(console), address, config.clone(), serves));
    Ok(())
}

/// What every connection needs.
struct Console {
    door: Door,
    insight: Insight,
    feed: Feed,
}

async fn run(
    console: Arc<Console>,
    address: ObserveAddress,
    config: Config,
    mut serves: watch::Receiver<bool>,
) {
    if serves.wait_for(|serves| *serves).await.is_err() {
        return;
    }
    tokio::spawn(Arc::clone(&console.insight.scrape).watch_event_loop());
    let given_up = async {
        // The end of its sender is the end of the arbiter.
        let _ = serves.wait_for(|serves| !*serves).await;
    };
    tokio::select! {
        () = given_up => {}
        () = serve(console, &address, &config) => {}
    }
}

async fn serve(console: Arc<Console>, address: &ObserveAddress, config: &Config) {
    let listener = bound(address, config).await;
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok(arrival) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let console = Arc::clone(&console);
                tokio::spawn(async move {
                    http::serve(arrival, console).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("no connection to the console can be accepted: {error}");
                tokio::time::sleep(RETRY.0).await;
            }
        }
    }
}

/// The listener, as soon as there is one.
async fn bound(address: &ObserveAddress, config: &Config) -> ConsoleListener {
    let mut pause = RETRY.0;
    loop {
        match ConsoleListener::bind(address, config) {
            Ok(listener) => {
                tracing::info!("metrics, health and the live page are at {listener}");
                return listener;
            }
            Err(error) => {
                // In an upgrade the old arbiter leaves it in a moment.
                if pause > RETRY.0 {
                    tracing::warn!(
                        "observe.listen: {error}; metrics and the page are not served there, the next try is in {pause:?}"
                    );
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}
