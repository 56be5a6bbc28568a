//! What a worker writes to stdout and stderr, line by line, into the log.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::unix::pipe,
};

use crate::call::WorkerRef;

/// The longest line that is kept in one piece.
const MAX_LINE: u64 = 8 * 1024;
/// How many lines of one worker are logged per [`WINDOW`]; the rest is counted.
/// The pipe is read on, so that a worker never blocks on its own chatter.
const MAX_LINES: u32 = 2000;
const WINDOW: Duration = Duration::from_secs(1);

/// The last line that a worker wrote; it often says why the worker ended.
#[derive(Debug, Clone, Default)]
pub struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    fn set(&self, line: &str) {
        line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The line; empty if there was none.
    pub fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Logs every line until the pipe ends.
pub async fn log_lines(
    pipe: pipe::Receiver,
    worker: WorkerRef,
    pool: String,
    stream: &'static str,
    last: LastLine,
) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    let mut budget = Budget::new(Instant::now());
    let left_out = |dropped: u64| {
        tracing::warn!(
            worker = worker.id,
            pid = worker.pid,
            pool,
            stream,
            dropped,
            "{worker} wrote more than {MAX_LINES} lines a second to {stream}; {dropped} of them were left out of the log"
        );
    };
    loop {
        let room = MAX_LINE - line.len() as u64;
        let mut next = (&mut reader).take(room);
        let read = tokio::select! {
            read = next.read_until(b'\n', &mut line) => Some(read),
            // The flood may be over: its count does not wait for a next line.
            () = tokio::time::sleep_until(budget.ends().into()), if budget.dropped > 0 => None,
        };
        budget.reopen(Instant::now()).map(left_out);
        match read {
            None => continue, // what was read of a line stays in it
            Some(Ok(0) | Err(_)) => break,
            Some(Ok(_)) => {}
        }
        if budget.take() {
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                last.set(text.trim());
            }
            tracing::info!(target: "dirtyd::output", worker = worker.id, pid = worker.pid, pool,
                stream, "{}", text.trim_end());
        }
        line.clear();
    }
    if budget.dropped > 0 {
        left_out(budget.dropped);
    }
}

/// So many lines in each window.
struct Budget {
    opened: Instant,
    used: u32,
    dropped: u64,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { opened: now, used: 0, dropped: 0 }
    }

    /// When the window is over.
    fn ends(&self) -> Instant {
        self.opened + WINDOW
    }

    /// Starts a new window if this one is over; tells how many lines the old
    /// one left out, if any.
    fn reopen(&mut self, now: Instant) -> Option<u64> {
        if now < self.ends() {
            return None;
        }
        let dropped = self.dropped;
        *self = Self::new(now);
        (dropped > 0).then_some(dropped)
    }

    fn take(&mut self) -> bool {
        self.used = self.used.saturating_add(1);
        let within = self.used <= MAX_LINES;
        self.dropped += u64::from(!within);
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let logged = (0..5000).filter(|_| budget.take()).count();
        assert_eq!(logged, MAX_LINES as usize);
        assert_eq!(budget.reopen(start), None);
        assert_eq!(budget.reopen(start + WINDOW), Some(5000 - u64::from(MAX_LINES)));
        assert!(budget.take(), "a new window has a new budget");
    }
}
