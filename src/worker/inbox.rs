//! The way from a worker: what comes out of its socket, as events.

use super::machine::Event;
use dirtyd_client::{
    frames::{FrameError, FrameReader},
    proto::worker::WorkerFrame,
};

/// The number of frames after which a worker lets the other tasks run: what lies
/// in the read buffer comes without a wait.
const FRAMES_PER_TURN: u32 = 64;

/// Reads frames from a worker.
#[derive(Debug)]
pub struct Inbox {
    reader: FrameReader<WorkerFrame>,
    /// The number of frames since the last wait for the others.
    in_turn: u32,
}

impl Inbox {
    /// An inbox from which nothing has been read.
    pub fn new(reader: FrameReader<WorkerFrame>) -> Self {
        Self { reader, in_turn: 0 }
    }

    /// Waits for what comes next. Cancel safe.
    pub async fn next(&mut self) -> Event {
        if self.in_turn == FRAMES_PER_TURN {
            tokio::task::yield_now().await;
            self.in_turn = 0;
        }
        let read = self.reader.next().await;
        self.in_turn += 1;
        event(read)
    }

    /// Returns what a process that has ended left next. Never waits: a process
    /// that inherited the socket may hold it open.
    pub async fn left(&mut self) -> Event {
        match now_or_never(self.reader.next()).await {
            Some(read) => event(read),
            None => Event::Closed { within_frame: self.reader.is_within_frame() },
        }
    }
}

fn event(read: Result<Option<WorkerFrame>, FrameError>) -> Event {
    match read {
        Ok(Some(frame)) => Event::Frame(frame.kind),
        Ok(None) | Err(FrameError::Io(_)) => Event::Closed { within_frame: false },
        Err(FrameError::Truncated) => Event::Closed { within_frame: true },
        Err(fault @ (FrameError::Malformed(_) | FrameError::TooLarge { .. })) => {
            Event::Fault(fault.to_string())
        }
    }
}

/// Polls once; `None` if the future is not ready. Unconstrained, because a spent
/// cooperative budget must not look like an empty socket.
async fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! { biased;
        output = tokio::task::unconstrained(future) => Some(output),
        () = std::future::ready(()) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io::Write as _, os::unix::net::UnixStream, rc::Rc};

    use super::*;
    use dirtyd_client::system::Socket;

    fn pair() -> (Inbox, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        let (reader, _) = Socket::new(ours).expect("socket").into_split();
        (Inbox::new(FrameReader::new(reader, 1024)), theirs)
    }

    /// A Pong, with its length.
    const PONG: [u8; 6] = [0, 0, 0, 2, 74, 0];

    #[tokio::test]
    async fn a_buffer_full_of_frames_lets_the_other_tasks_run() {
        let (mut inbox, mut theirs) = pair();
        theirs.write_all(&PONG.repeat(3 * FRAMES_PER_TURN as usize)).expect("room");
        let turns = Rc::new(Cell::new(0));
        let tasks = tokio::task::LocalSet::new();
        let count = Rc::clone(&turns);
        tasks.spawn_local(async move {
            loop {
                count.set(count.get() + 1);
                tokio::task::yield_now().await;
            }
        });
        let reading = async {
            for _ in 0..3 * FRAMES_PER_TURN {
                assert!(matches!(inbox.next().await, Event::Frame(Some(_))));
            }
        };
        tasks.run_until(reading).await;
        assert!(turns.get() >= 2, "{} turns", turns.get());
    }

    #[tokio::test]
    async fn what_is_left_is_taken_without_a_wait_and_half_a_frame_is_seen() {
        let (mut inbox, mut theirs) = pair();
        theirs.write_all(&[&PONG, &PONG, &PONG[..5]].concat()).expect("room");
        assert!(matches!(inbox.next().await, Event::Frame(Some(_))));
        assert!(matches!(inbox.left().await, Event::Frame(Some(_))));
        let within = inbox.left().await;
        assert!(matches!(within, Event::Closed { within_frame: true }), "{within:?}");
        drop(theirs);
        let within = inbox.left().await;
        assert!(matches!(within, Event::Closed { within_frame: true }), "{within:?}");
        let (mut inbox, _theirs) = pair();
        assert!(matches!(inbox.left().await, Event::Closed { within_frame: false }));
    }
}
