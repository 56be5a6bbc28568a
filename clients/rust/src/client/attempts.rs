//! Attempts at a call: its deadline, and further ones where that is safe.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::Error;

/// How much longer than its deadline a call waits for the arbiter, which knows
/// what became of it.
const GRACE: Duration = Duration::from_secs(1);
/// The longest that `grpc-timeout` can say; tonic panics above.
const LONGEST: Duration = Duration::from_secs(99_999_999 * 3600);
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The deadline of a call, from its first attempt to its last chunk.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now; none if there is no limit, or none that matters.
    pub fn after(timeout: Option<Duration>) -> Self {
        let timeout = timeout.filter(|timeout| *timeout <= LONGEST);
        Self(timeout.and_then(|timeout| Instant::now().checked_add(timeout)))
    }

    /// What is left of it for the arbiter.
    pub fn left(self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Waits for an answer, and a little longer than the arbiter should need.
    ///
    /// # Errors
    /// Even then there was none.
    pub async fn bound<T>(self, answer: impl Future<Output = T>) -> Result<T, Error> {
        match self.0 {
            None => Ok(answer.await),
            Some(at) => {
                timeout_at((at + GRACE).into(), answer).await.map_err(|_| Error::DeadlineExceeded)
            }
        }
    }
}

/// Makes a call, and repeats it up to a number of times if it certainly had not started.
///
/// One attempt comes on top, for a call that a closing connection refused
/// unseen: an arbiter that is upgraded or reloaded crosses such a call on the
/// wire, and nobody should hear of it. gRPC names it a transparent retry.
///
/// # Errors
/// Those of the last attempt.
pub async fn attempt<T, F: Future<Output = Result<T, Error>>>(
    retries: u32,
    deadline: Deadline,
    mut call: impl FnMut() -> F,
) -> Result<T, Error> {
    let (mut made, mut refused) = (0, false);
    loop {
        let error = match deadline.bound(call()).await.flatten() {
            Err(error) if !refused && error.is_refused() => {
                refused = true;
                continue;
            }
            Err(error) if made < retries && error.is_unstarted() => error,
            ended => return ended,
        };
        let wait = delay(made, error.retry_after());
        if deadline.left().is_some_and(|left| left <= wait) {
            return Err(error);
        }
        sleep(wait).await;
        made += 1;
    }
}

/// What the arbiter asks for, or exponentially more; spread, so that callers do
/// not come back together.
fn delay(made: u32, asked: Option<Duration>) -> Duration {
    let base = MAX_DELAY.min(FIRST_DELAY * 2_u32.pow(made.min(10)));
    asked.unwrap_or_default().max(base / 2) + (base / 2).mul_f64(fastrand::f64())
}
