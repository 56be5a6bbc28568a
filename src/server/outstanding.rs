//! The answers that have not left for the socket: what the edge waits for when
//! it closes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body::Frame;

use super::guarded::{SMALL, guarded};

/// How often [`Outstanding::none_for`] looks.
const LOOKS: u32 = 20;

/// All outstanding answers.
#[derive(Debug, Default)]
pub struct Outstanding(Arc<()>);

/// One outstanding answer. Every call holds one from the arrival of its request until
/// its answer has left.
#[derive(Debug)]
pub struct OutstandingAnswer(Arc<()>);

impl Outstanding {
    /// One more answer is outstanding until the returned value is dropped.
    pub fn begin(&self) -> OutstandingAnswer {
        OutstandingAnswer(Arc::clone(&self.0))
    }

    /// How many are outstanding.
    pub fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Resolves when no answer has been outstanding for a while.
    pub async fn none_for(&self, time: Duration) {
        let mut quiet_looks = 0;
        while quiet_looks < LOOKS {
            tokio::time::sleep(time / LOOKS).await;
            let none = self.count() == 0;
            quiet_looks = if none { quiet_looks + 1 } else { 0 };
        }
    }
}

impl OutstandingAnswer {
    /// Makes the answer outstanding until the data of `frame` has been sent, too:
    /// h2 keeps it for a slow reader when the body is gone.
    pub fn until_sent(&self, frame: Frame<Bytes>) -> Frame<Bytes> {
        frame.map_data(|data| match data.len() > SMALL {
            true => guarded(data, Self(Arc::clone(&self.0))),
            false => data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_WHILE: Duration = Duration::from_secs(1);

    /// Whether it resolves within ten times the time that it needs.
    async fn is_quiet(outstanding: &Outstanding) -> bool {
        tokio::time::timeout(A_WHILE * 10, outstanding.none_for(A_WHILE)).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn large_data_is_outstanding_until_it_is_dropped() {
        let outstanding = Outstanding::default();
        let answer = outstanding.begin();
        let large = Bytes::from(vec![0; SMALL + 1]);
        let address = large.as_ptr();
        let frame = answer.until_sent(Frame::data(large));
        drop(answer);
        assert!(!is_quiet(&outstanding).await, "the data has not left");
        let data = frame.into_data().expect("data");
        assert_eq!(data.as_ptr(), address, "it is not copied");
        drop(data);
        assert!(is_quiet(&outstanding).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_meanwhile_starts_the_wait_anew() {
        let outstanding = Outstanding::default();
        let start = tokio::time::Instant::now();
        let answers = async {
            tokio::time::sleep(A_WHILE / 2).await;
            let answer = outstanding.begin();
            tokio::time::sleep(A_WHILE).await;
            drop(answer);
        };
        tokio::join!(outstanding.none_for(A_WHILE), answers);
        assert!(start.elapsed() >= A_WHILE * 5 / 2, "{:?}", start.elapsed());
    }
}
