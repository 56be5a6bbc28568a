//! Waiting for what happens elsewhere: a condition and a limit, never a guess.

use std::time::Duration;

/// For what takes a moment on an idle machine, and much longer on a loaded one.
pub const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks `probe` until it gives something; panics after `limit`.
pub async fn eventually<T>(
    limit: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let asking = async {
        loop {
            match probe().await {
                Some(found) => return found,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    // A probe that never comes back is over then, too.
    let found = tokio::time::timeout(limit, asking).await;
    found.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"))
}
