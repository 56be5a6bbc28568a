//! Large answers to Execute that wait for their readers. They leave in pieces, which
//! shows whether somebody reads. A connection on which nobody does is closed: HTTP/2
//! gives back what it has taken over only then.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tonic::Status;

use super::{grpc::UnaryBody, lifetime::Served, locked::locked};

/// The most that leaves at once, in bytes.
const PIECE: usize = 256 * 1024;
/// How often a waiting answer is looked at within the time that it may wait.
const LOOKS: u32 = 8;

/// All large answers that wait.
#[derive(Debug, Default)]
pub struct Unread {
    answers: Mutex<Vec<Weak<Waiting>>>,
    pieces: Arc<AtomicU64>,
}

/// One answer.
#[derive(Debug)]
struct Waiting {
    served: Served,
    /// When its reader took something last.
    taken: Mutex<Instant>,
}

/// The body of a large answer.
#[derive(Debug)]
pub struct LargeBody {
    body: UnaryBody,
    /// What is left of a frame that leaves in pieces.
    rest: Bytes,
    waiting: Arc<Waiting>,
    pieces: Arc<AtomicU64>,
}

impl Unread {
    /// An answer that is watched until it is read.
    pub fn watched(&self, body: UnaryBody, served: Served) -> LargeBody {
        let waiting = Arc::new(Waiting { served, taken: Mutex::new(Instant::now()) });
        let mut answers = locked(&self.answers);
        // Those that were read are forgotten before the list has to grow.
        if answers.len() == answers.capacity() {
            answers.retain(|answer| answer.strong_count() > 0);
        }
        answers.push(Arc::downgrade(&waiting));
        LargeBody { body, rest: Bytes::new(), waiting, pieces: Arc::clone(&self.pieces) }
    }

    /// The number of pieces that readers have taken so far.
    pub fn pieces(&self) -> u64 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// Closes the connections of answers of which nothing was taken within `patience`.
    fn give_up(&self, now: Instant, patience: Duration) {
        locked(&self.answers).retain(|answer| {
            let Some(answer) = answer.upgrade() else { return false };
            let waits = now.saturating_duration_since(*locked(&answer.taken)) < patience;
            if !waits {
                answer.served.is_not_read();
            }
            waits
        });
    }
}

/// Closes the connections of what is not read within `patience`, until the edge is gone.
pub async fn watch(unread: Weak<Unread>, patience: Duration) {
    loop {
        tokio::time::sleep(patience / LOOKS).await;
        let Some(unread) = unread.upgrade() else { return };
        unread.give_up(Instant::now(), patience);
    }
}

impl Body for LargeBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { body, rest, waiting, pieces } = &mut *self;
        *locked(&waiting.taken) = Instant::now();
        pieces.fetch_add(1, Ordering::Relaxed);
        if rest.is_empty() {
            match std::task::ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => *rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::server::lifetime::Activity;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_large_answer_leaves_whole_and_in_pieces() {
        let unread = Unread::default();
        let message = Bytes::from(vec![7; 3 * PIECE + 1]);
        let served = Activity::default().begin();
        let whole = unread.watched(UnaryBody::new(message.clone()), served).collect().await;
        let whole = whole.expect("an answer");
        assert!(whole.trailers().is_some_and(|trailers| trailers["grpc-status"] == "0"));
        assert_eq!(whole.to_bytes()[5..], message);
        assert!(unread.pieces() > 3);
    }

    #[tokio::test]
    async fn the_connection_of_a_reader_who_takes_nothing_is_closed() {
        let (unread, activity) = (Unread::default(), Activity::default());
        let message = UnaryBody::new(Bytes::from(vec![7; 3 * PIECE]));
        let mut body = unread.watched(message, activity.begin());
        let now = Instant::now();
        body.frame().await.expect("a frame").expect("the head");
        unread.give_up(now + PATIENCE / 2, PATIENCE);
        assert_eq!(activity.not_read().now_or_never(), None);
        unread.give_up(now + PATIENCE * 2, PATIENCE);
        assert_eq!(activity.not_read().now_or_never(), Some(()));
    }
}
