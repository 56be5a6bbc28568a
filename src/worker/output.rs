//! What a worker writes to stdout and stderr, line by line, into the log.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::unix::pipe,
    task::JoinHandle,
};

use crate::call::WorkerRef;

/// The longest line that is kept in one piece.
const MAX_LINE: u64 = 8 * 1024;
/// The most lines of one worker that are logged in one [`INTERVAL`]; the others
/// are counted. The pipe is read on, so that a worker never blocks on its own
/// chatter.
const MAX_LINES: u32 = 2000;
const INTERVAL: Duration = Duration::from_secs(1);

/// How long to read on what an ended worker wrote to stderr: what it forked may
/// hold the pipe open, but its last words are worth a moment.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// The last line that a worker wrote; it often says why the worker ended.
#[derive(Debug, Clone, Default)]
struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    fn set(&self, line: &str) {
        line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a worker writes to stderr until its end.
#[derive(Debug)]
pub struct LastWords {
    reader: Option<JoinHandle<()>>,
    line: LastLine,
}

impl LastWords {
    /// Returns the last line that an ended worker wrote; empty if there was none.
    pub async fn hear(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = tokio::time::timeout(LAST_WORDS, reader).await;
        }
        self.line.get()
    }
}

/// Logs what a worker writes to stdout.
pub fn log_stdout(pipe: Option<pipe::Receiver>, worker: WorkerRef, pool: &str) {
    if let Some(pipe) = pipe {
        let source = Source { worker, pool: pool.to_owned(), stream: "stdout" };
        tokio::spawn(log_lines(pipe, source, LastLine::default()));
    }
}

/// Logs what a worker writes to stderr, and keeps its last line.
pub fn log_stderr(pipe: Option<pipe::Receiver>, worker: WorkerRef, pool: &str) -> LastWords {
    let line = LastLine::default();
    let source = Source { worker, pool: pool.to_owned(), stream: "stderr" };
    let reader = pipe.map(|pipe| tokio::spawn(log_lines(pipe, source, line.clone())));
    LastWords { reader, line }
}

/// Whose output it is.
struct Source {
    worker: WorkerRef,
    pool: String,
    stream: &'static str,
}

/// Logs every line until the pipe ends.
async fn log_lines(pipe: pipe::Receiver, source: Source, last: LastLine) {
    let Source { worker, pool, stream } = source;
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
            // The flood may be over: its count does not wait for the next line.
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
            let text = last_state(&text);
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

/// What a terminal would show of a line in the end: a progress bar writes its states
/// one over the other.
fn last_state(line: &str) -> &str {
    let mut states = line.trim_end().rsplit('\r');
    states.find(|state| !state.trim().is_empty()).unwrap_or_default()
}

/// How many lines may still be logged in this interval.
struct Budget {
    opened: Instant,
    used: u32,
    dropped: u64,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { opened: now, used: 0, dropped: 0 }
    }

    /// When the interval is over.
    fn ends(&self) -> Instant {
        self.opened + INTERVAL
    }

    /// Starts a new interval if this one is over. Returns the number of lines that
    /// the old one left out, if any.
    fn reopen(&mut self, now: Instant) -> Option<u64> {
        if now < self.ends() {
            return None;
        }
        let dropped = self.dropped;
        *self = Self::new(now);
        (dropped > 0).then_some(dropped)
    }

    /// Counts a line; false if it is one too many.
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
    fn of_a_progress_bar_the_last_state_is_logged() {
        assert_eq!(last_state("10%\r20%\r100%\r\n"), "100%");
        assert_eq!(last_state("a line\r\n"), "a line");
        assert_eq!(last_state("\r \r"), "");
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let logged = (0..5000).filter(|_| budget.take()).count();
        assert_eq!(logged, MAX_LINES as usize);
        assert_eq!(budget.reopen(start), None);
        assert_eq!(budget.reopen(start + INTERVAL), Some(5000 - u64::from(MAX_LINES)));
        assert!(budget.take(), "a new interval has a new budget");
    }
}
