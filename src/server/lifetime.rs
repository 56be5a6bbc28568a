//! How long a connection lives: until it is asked to end, because the edge closes
//! or because nobody has used it for a while.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

/// How often a connection is looked at within the time that it may rest.
const LOOKS: u32 = 8;
/// After this time without a request a connection rests.
const A_WHILE: Duration = Duration::from_secs(2);
/// How long a connection that nobody used may take to end.
const IDLE_END: Duration = Duration::from_secs(10);

/// What is done on a connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU32,
    not_read: Notify,
}

/// A request that is served; its answer holds it until it has left.
#[derive(Debug)]
pub struct Served(Arc<Counts>);

impl Served {
    /// Nobody reads its answer.
    pub fn is_not_read(&self) {
        self.0.not_read.notify_one();
    }
}

impl Activity {
    /// A request came.
    pub fn begin(&self) -> Served {
        // All of a connection is done by one thread at a time, and a count that is
        // off by one only moves the next look.
        let requests = &self.0.requests;
        requests.store(requests.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        Served(Arc::clone(&self.0))
    }

    /// Resolves when, after a request, nothing is done for a while; not before a request.
    pub fn rests(&self) -> impl Future<Output = ()> + '_ {
        let (at_first, mut before) = (self.look().0, None);
        async move {
            loop {
                let now @ (requests, served) = self.look();
                if before == Some(now) && requests != at_first && !served {
                    return;
                }
                before = Some(now);
                sleep(A_WHILE).await;
            }
        }
    }

    /// Resolves when nobody reads an answer.
    pub async fn not_read(&self) {
        self.0.not_read.notified().await;
    }

    /// The number of requests so far, and whether one is served now.
    fn look(&self) -> (u32, bool) {
        let served = Arc::strong_count(&self.0) > AT_REST;
        (self.0.requests.load(Ordering::Relaxed), served)
    }
}

/// The clones of an [`Activity`] at rest: the connection's own, and that of its service.
const AT_REST: usize = 2;

/// Why a connection is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The edge closes.
    Closing,
    /// Nobody used it.
    Idle,
    /// Nobody reads an answer.
    NotRead,
}

/// Resolves when a connection should end. `idle` is how long it may rest; zero for
/// as long as it likes.
pub async fn is_over(
    mut closing: watch::Receiver<bool>,
    activity: &Activity,
    idle: Duration,
) -> Asked {
    tokio::select! { biased;
        // The sender ends with the edge.
        _ = closing.wait_for(|closing| *closing) => Asked::Closing,
        () = activity.not_read() => Asked::NotRead,
        () = rests_for(activity, idle), if !idle.is_zero() => Asked::Idle,
    }
}

/// Serves a connection until it ends, also because it is asked to, by `shut_down`.
/// Returns whether it was closed because its client took nothing of a result.
///
/// # Errors
/// The client vanished, or broke the protocol.
pub async fn serve<C>(
    mut connection: Pin<&mut C>,
    over: impl Future<Output = Asked>,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> hyper::Result<bool>
where
    C: Future<Output = hyper::Result<()>>,
{
    let asked = tokio::select! { biased;
        ended = connection.as_mut() => return ended.map(|()| false),
        asked = Box::pin(over) => asked,
    };
    end(connection, asked, shut_down).await
}

/// The same for a connection that is asked to end.
///
/// # Errors
/// The client vanished, or broke the protocol.
pub async fn end<C>(
    mut connection: Pin<&mut C>,
    asked: Asked,
    shut_down: impl FnOnce(Pin<&mut C>),
) -> hyper::Result<bool>
where
    C: Future<Output = hyper::Result<()>>,
{
    if asked == Asked::NotRead {
        // Whoever does not read would not see that it is asked to end.
        return Ok(true);
    }
    shut_down(connection.as_mut());
    let ended = match asked {
        // A client that does not even see that it should end is left alone.
        Asked::Idle => timeout(IDLE_END, connection).await.unwrap_or(Ok(())),
        // The edge knows how long it waits.
        Asked::Closing | Asked::NotRead => connection.await,
    };
    ended.map(|()| false)
}

async fn rests_for(activity: &Activity, idle: Duration) {
    let (mut before, mut quiet) = (activity.look().0, 0);
    while quiet < LOOKS {
        sleep(idle / LOOKS).await;
        let (now, served) = activity.look();
        quiet = if now == before && !served { quiet + 1 } else { 0 };
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const IDLE: Duration = Duration::from_secs(800);

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_used_or_waits_for_an_answer_does_not_rest() {
        let activity = Activity::default();
        let of_the_service = activity.clone();
        let (_edge, closing) = watch::channel(false);
        let start = Instant::now();
        let use_it = async {
            for _ in 0..10 {
                sleep(IDLE / 2).await;
                drop(of_the_service.begin());
            }
            let long = of_the_service.begin();
            sleep(IDLE * 10).await;
            drop(long);
        };
        let over = is_over(closing, &activity, IDLE);
        let (asked, ()) = tokio::join!(over, use_it);
        assert_eq!(asked, Asked::Idle);
        assert!(start.elapsed() >= IDLE * 15, "{:?}", start.elapsed());
        assert!(start.elapsed() <= IDLE * 17, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_rests_after_a_request_and_not_before() {
        let activity = Activity::default();
        let of_the_service = activity.clone();
        assert!(timeout(A_WHILE * 100, activity.rests()).await.is_err(), "there was none");
        let rests = activity.rests();
        let use_it = async {
            let served = of_the_service.begin();
            sleep(A_WHILE * 10).await;
            drop(served);
            Instant::now()
        };
        let (ended, rested) = tokio::join!(use_it, async {
            rests.await;
            Instant::now()
        });
        assert!(rested > ended && rested - ended <= A_WHILE * 2, "{:?}", rested - ended);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_rests_until_the_edge_closes() {
        let (edge, closing) = watch::channel(false);
        let activity = Activity::default();
        let mut over = Box::pin(is_over(closing, &activity, Duration::ZERO));
        assert!(timeout(IDLE * 1000, &mut over).await.is_err());
        edge.send_replace(true);
        assert_eq!(over.await, Asked::Closing);
    }
}
