//! Writes lines to the file of the access log, on a thread of its own.
//!
//! ```text
//!   calls ── put ──> 4 MiB of lines ──> thread ──> file
//!                        └─ full: dropped, counted     └─ fails: dropped, counted
//! ```
//!
//! Whoever puts a line never waits. Once the file takes lines again, one says how many are
//! missing before it.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::file;
use crate::{config::LogFormat, printable::count};

/// What waits to be written; what comes beyond it is dropped.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// The same in lines.
const MOST_LINES: usize = 16 * 1024;
/// What one write takes.
const BATCH: usize = 64 * 1024;
/// How long until a file that took nothing is tried again, if no line comes before.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the end waits for what is not written yet.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The way to the thread.
#[derive(Debug)]
pub struct Writer {
    /// There until the end.
    lines: Option<SyncSender<String>>,
    shared: Arc<Shared>,
}

/// What the thread shares with those who put lines.
#[derive(Debug, Default)]
struct Shared {
    /// The lines that are missing in the file.
    dropped: AtomicU64,
    /// The bytes that wait.
    waiting: AtomicUsize,
    reopen: AtomicBool,
    ended: Mutex<bool>,
    ends: Condvar,
}

impl Writer {
    /// Starts the thread. A file that cannot be opened now is tried again.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(path: &Path, format: LogFormat) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let output = Output::new(path, format, Arc::clone(&shared));
        let (lines, written) = sync_channel(MOST_LINES);
        let thread = thread::Builder::new().name("access-log".to_owned());
        thread.spawn(move || write_all(&written, output)).map_err(|error| {
            io::Error::new(error.kind(), format!("access_log_file: no thread to write it: {error}"))
        })?;
        Ok(Self { lines: Some(lines), shared })
    }

    /// Puts a line, which ends with a newline. Never waits: it is dropped if too much waits.
    pub fn put(&self, line: String) {
        let (shared, size) = (&self.shared, line.len());
        let waiting = shared.waiting.fetch_add(size, Ordering::Relaxed) + size;
        let has_room = waiting <= MOST_BYTES;
        let sent = |lines: &SyncSender<String>| lines.try_send(line).is_ok();
        if !(has_room && self.lines.as_ref().is_some_and(sent)) {
            shared.waiting.fetch_sub(size, Ordering::Relaxed);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of lines that are missing in the file.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Opens the file anew before the next line.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Relaxed);
    }
}

/// The end waits for what has been put, for a while: a file system may be stuck.
impl Drop for Writer {
    fn drop(&mut self) {
        self.lines = None;
        let ended = self.shared.ended.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.shared.ends.wait_timeout_while(ended, LAST_LINES, |ended| !*ended));
    }
}

/// The thread: writes what comes until nobody can put any more.
fn write_all(lines: &Receiver<String>, mut output: Output) {
    loop {
        let first = match output.missing() {
            0 => lines.recv().map_err(RecvTimeoutError::from),
            // Even if no call comes, somebody should be told what is missing.
            _ => lines.recv_timeout(AGAIN),
        };
        let mut batch = match first {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => String::new(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        while batch.len() < BATCH
            && let Ok(line) = lines.try_recv()
        {
            batch += &line;
        }
        output.write(&batch);
        output.shared.waiting.fetch_sub(batch.len(), Ordering::Relaxed);
    }
    if output.missing() > 0 {
        output.write("");
    }
    *output.shared.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
    output.shared.ends.notify_all();
}

/// The file, as the thread has it.
struct Output {
    path: PathBuf,
    /// `None` if it could not be opened yet.
    file: Option<File>,
    /// When it was tried to open it.
    tried: Option<Instant>,
    format: LogFormat,
    shared: Arc<Shared>,
    /// Those of the dropped lines that a line has told.
    told: u64,
    /// Whether the file ends within a line.
    torn: bool,
    /// Whether the last write failed.
    fails: bool,
}

impl Output {
    fn new(path: &Path, format: LogFormat, shared: Arc<Shared>) -> Self {
        let (path, file, tried) = (path.to_owned(), None, None);
        let mut output =
            Self { path, file, tried, format, shared, told: 0, torn: false, fails: false };
        output.open();
        output
    }

    /// The lines that are missing and of which nothing is told yet.
    fn missing(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed).saturating_sub(self.told)
    }

    /// Writes whole lines, and before them the one that says how many are missing. What the
    /// file does not take is dropped.
    fn write(&mut self, lines: &str) {
        let is_due = self.file.is_none() && self.tried.is_none_or(|tried| tried.elapsed() >= AGAIN);
        if self.shared.reopen.swap(false, Ordering::Relaxed) || is_due {
            self.open();
        }
        let missing = self.missing();
        let head = self.head(missing);
        let (written, failure) = match &mut self.file {
            Some(file) => put(file, (head.clone() + lines).as_bytes()),
            None => (0, None),
        };
        if written >= head.len() && self.file.is_some() {
            self.told += missing;
        }
        if written > 0 {
            let last = (head.as_bytes().iter().chain(lines.as_bytes())).nth(written - 1);
            self.torn = last != Some(&b'\n');
        }
        let rest = &lines.as_bytes()[written.saturating_sub(head.len())..];
        let lost = rest.iter().filter(|byte| **byte == b'\n').count();
        self.shared.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        match failure {
            Some(error) if !std::mem::replace(&mut self.fails, true) => tracing::warn!(
                "the access log cannot be written to {}: {error}; its lines are dropped and counted until it can be (access_log_file)",
                self.path.display()
            ),
            Some(_) => {}
            None => self.fails = self.file.is_none(),
        }
    }

    /// What stands before the next line: the end of one that is cut, and how many are
    /// missing.
    fn head(&self, missing: u64) -> String {
        let mut head = if self.torn { "\n".to_owned() } else { String::new() };
        if missing == 0 {
            return head;
        }
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        head += &match self.format {
            LogFormat::Text => {
                let are = if missing == 1 { "is" } else { "are" };
                format!("{time} {} {are} missing here\n", count(missing, "line"))
            }
            LogFormat::Json => format!("{{\"time\":\"{time}\",\"missing_lines\":{missing}}}\n"),
        };
        head
    }

    /// A file that cannot be opened leaves the old one in use, if there is one.
    fn open(&mut self) {
        self.tried = Some(Instant::now());
        match (file::open(&self.path), &self.file) {
            (Ok(file), _) => (self.file, self.torn) = (Some(file), false),
            (Err(error), Some(_)) => {
                tracing::warn!("{error}; the access log goes on in the old file");
            }
            (Err(error), None) if !std::mem::replace(&mut self.fails, true) => tracing::warn!(
                "{error}; the lines of the access log are dropped and counted until it can be opened"
            ),
            (Err(_), None) => {}
        }
    }
}

/// Writes as much as the file takes. Returns how much that was, and why it was not all.
fn put(file: &mut File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_full_disk_costs_lines_which_are_counted_and_told_once_it_has_room() {
        let folder = tempfile::tempdir().expect("a folder");
        for (format, expected) in [
            (LogFormat::Text, "3 lines are missing here\nd\n"),
            (LogFormat::Json, "\"missing_lines\":3}\nd\n"),
        ] {
            let shared = Arc::<Shared>::default();
            let mut output = Output::new(Path::new("/dev/full"), format, Arc::clone(&shared));
            output.write("a\nb\n");
            output.write("c\n");
            assert_eq!(shared.dropped.load(Ordering::Relaxed), 3);
            // Somebody makes room.
            output.path = folder.path().join(format!("{format:?}"));
            shared.reopen.store(true, Ordering::Relaxed);
            output.write("d\n");
            output.write("e\n");
            let text = fs::read_to_string(&output.path).expect("the file");
            assert!(text.contains(expected) && text.ends_with("d\ne\n"), "{text}");
            assert_eq!((output.missing(), shared.dropped.load(Ordering::Relaxed)), (0, 3));
        }
    }

    #[test]
    fn a_line_that_was_cut_does_not_run_into_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("access.log");
        let mut output = Output::new(&path, LogFormat::Text, Arc::default());
        output.write("whole\ncu");
        assert!(output.torn);
        output.write("next\n");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "whole\ncu\nnext\n");
    }

    #[test]
    fn a_file_whose_folder_comes_later_has_the_lines_from_then_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("later/access.log");
        let shared = Arc::<Shared>::default();
        let mut output = Output::new(&path, LogFormat::Text, Arc::clone(&shared));
        output.write("lost\n");
        assert_eq!((output.missing(), shared.dropped.load(Ordering::Relaxed)), (1, 1));
        fs::create_dir(folder.path().join("later")).expect("a folder");
        output.tried = None;
        output.write("kept\n");
        let text = fs::read_to_string(&path).expect("the file");
        assert!(text.ends_with(" 1 line is missing here\nkept\n"), "{text}");
    }
}
