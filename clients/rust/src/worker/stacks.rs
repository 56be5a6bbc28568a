//! The answer to GetStacks: the calls that run. Rust cannot look into threads that run.

use std::time::Duration;

use prost::Message as _;

use crate::proto::{
    v1::{Stack, StackKind},
    worker::{Stacks, WorkerFrame, worker_frame::Kind},
};

/// What the threads are called on which calls run.
pub const THREAD: &str = "dirtyd-call";
const MAX_STACKS: usize = 1000;

/// The frame for calls, by id, and for how long each has run. It takes no more than `limit` bytes.
pub fn answer(
    nonce: u64,
    calls: impl Iterator<Item = (u64, Duration)>,
    limit: usize,
) -> WorkerFrame {
    let mut calls: Vec<_> = calls.take(MAX_STACKS).collect();
    calls.sort_unstable();
    let frame = |stacks| WorkerFrame { kind: Some(Kind::Stacks(Stacks { nonce, stacks })) };
    let mut stacks: Vec<Stack> = calls.into_iter().map(|(id, since)| stack(id, since)).collect();
    loop {
        let answer = frame(stacks.clone());
        if stacks.is_empty() || answer.encoded_len() <= limit {
            return answer;
        }
        stacks.truncate(stacks.len() / 2);
    }
}

fn stack(call_id: u64, since: Duration) -> Stack {
    Stack {
        name: THREAD.to_owned(),
        kind: StackKind::Thread.into(),
        call_id,
        frames: Vec::new(),
        note: format!(
            "the call runs for {:.3} s; Rust shows no frames of a thread that runs",
            since.as_secs_f64()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(calls: u64, limit: usize) -> Stacks {
        let calls = (0..calls).map(|id| (id, Duration::from_millis(1500)));
        let frame = answer(7, calls, limit);
        assert!(frame.encoded_len() <= limit);
        match frame.kind {
            Some(Kind::Stacks(stacks)) => stacks,
            other => panic!("expected Stacks, got {other:?}"),
        }
    }

    #[test]
    fn each_call_is_a_thread_with_a_note() {
        let Stacks { nonce, stacks } = stacks(2, 10_000);
        assert_eq!((nonce, stacks.len()), (7, 2));
        assert_eq!((stacks[1].name.as_str(), stacks[1].call_id), (THREAD, 1));
        assert_eq!(stacks[1].kind(), StackKind::Thread);
        assert!(stacks[1].note.contains("1.500 s"), "{}", stacks[1].note);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert!((1..100).contains(&stacks(100, 1000).stacks.len()));
        assert_eq!(stacks(5000, usize::MAX).stacks.len(), MAX_STACKS);
        assert!(stacks(3, 20).stacks.is_empty());
    }
}
