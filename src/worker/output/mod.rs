//! What a worker writes to stdout and stderr, line by line, into the log.

mod budget;
mod level;
mod stacks;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::unix::pipe,
    task::JoinHandle,
    time::{sleep, sleep_until},
};

use tracing::Level;

use crate::{call::WorkerRef, logging::OUTPUT};
use budget::{Budget, MAX_LINES};
use stacks::Stacks;

/// The longest line that is kept in one piece.
const MAX_LINE: u64 = 8 * 1024;
/// How long nothing may come before a dump of stacks is complete.
const PAUSE: Duration = Duration::from_millis(100);

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

impl Source {
    fn log(&self, level: Level, text: &str) {
        let Self { worker: WorkerRef { id: worker, pid }, pool, stream } = self;
        macro_rules! log {
            ($level:expr) => {
                tracing::event!(target: OUTPUT, $level, worker, pid, pool, stream, "{text}")
            };
        }
        match level {
            Level::ERROR => log!(Level::ERROR),
            Level::WARN => log!(Level::WARN),
            Level::INFO => log!(Level::INFO),
            _ => log!(Level::DEBUG),
        }
    }

    fn log_left_out(&self, dropped: u64) {
        let Self { worker, pool, stream } = self;
        tracing::warn!(
            worker = worker.id,
            pid = worker.pid,
            pool,
            stream,
            dropped,
            "{worker} wrote more than {MAX_LINES} lines a second to {stream}; {dropped} of them were left out of the log"
        );
    }
}

/// Logs every line until the pipe ends, and a dump of stacks in one piece.
async fn log_lines(pipe: pipe::Receiver, source: Source, last: LastLine) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    let mut budget = Budget::new(Instant::now());
    let mut stacks = Stacks::default();
    let end = |stacks: &mut Stacks| {
        let level = if stacks.failure().is_some() { Level::ERROR } else { Level::WARN };
        if let Some(text) = stacks.end() {
            source.log(level, &text);
        }
    };
    loop {
        let room = MAX_LINE - line.len() as u64;
        let mut next = (&mut reader).take(room);
        let read = tokio::select! {
            read = next.read_until(b'\n', &mut line) => Some(read),
            // The flood may be over: its count does not wait for the next line.
            () = sleep_until(budget.ends().into()), if budget.dropped > 0 => None,
            () = sleep(PAUSE), if !stacks.is_empty() => {
                end(&mut stacks);
                None
            }
        };
        if let Some(dropped) = budget.reopen(Instant::now()) {
            source.log_left_out(dropped);
        }
        match read {
            None => continue, // what was read of a line stays in it
            Some(Ok(0) | Err(_)) => break,
            Some(Ok(_)) => {}
        }
        let text = String::from_utf8_lossy(&line);
        if stacks.takes(text.trim_end()) {
            if let Some(failure) = stacks.failure() {
                last.set(failure);
            }
        } else {
            end(&mut stacks);
            if budget.take() {
                let (level, text) = level::of(last_state(&text));
                if !text.trim().is_empty() {
                    last.set(text.trim());
                }
                source.log(level, text.trim_end());
            }
        }
        line.clear();
    }
    end(&mut stacks);
    if budget.dropped > 0 {
        source.log_left_out(budget.dropped);
    }
}

/// What a terminal would show of a line in the end: a progress bar writes its states
/// one over the other.
fn last_state(line: &str) -> &str {
    let mut states = line.trim_end().rsplit('\r');
    states.find(|state| !state.trim().is_empty()).unwrap_or_default()
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
}
