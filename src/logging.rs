//! The log: one line per event, to stderr or a file that can be reopened. The
//! arbiter never waits for whoever reads it: a full buffer drops lines, and
//! counts them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Lines that wait to be written.
const BUFFERED_LINES: usize = 16 * 1024;

/// Keeps the log alive: dropping the last one writes what is buffered.
#[derive(Debug, Clone)]
pub struct Log {
    _guard: Arc<WorkerGuard>,
    reopen: Arc<AtomicBool>,
}

impl Log {
    /// Starts logging for the whole process.
    ///
    /// # Errors
    /// The file cannot be opened, or the filter is malformed.
    pub fn start(config: &LogConfig) -> io::Result<Self> {
        let filter = EnvFilter::try_new(&config.filter).map_err(|error| {
            io::Error::other(format!("log_filter: `{}`: {error}", config.filter))
        })?;
        let reopen = Arc::new(AtomicBool::new(false));
        let output = Output::open(config.file.clone(), Arc::clone(&reopen))?;
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(BUFFERED_LINES)
            .lossy(true)
            .finish(output);
        let is_terminal = config.file.is_none() && io::IsTerminal::is_terminal(&io::stderr());
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            .with_ansi(is_terminal);
        match config.format {
            LogFormat::Text => builder.with_target(false).init(),
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
        Ok(Self { _guard: Arc::new(guard), reopen })
    }

    /// Opens the file anew before the next line, after it was rotated.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }
}

/// Where lines go; used by the writing thread only.
struct Output {
    path: Option<PathBuf>,
    file: Option<File>,
    reopen: Arc<AtomicBool>,
}

impl Output {
    fn open(path: Option<PathBuf>, reopen: Arc<AtomicBool>) -> io::Result<Self> {
        let file = path.as_ref().map(open).transpose()?;
        Ok(Self { path, file, reopen })
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(|error| {
        io::Error::new(error.kind(), format!("log_file: cannot open {}: {error}", path.display()))
    })
}

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(path) =
            self.path.as_ref().filter(|_| self.reopen.swap(false, Ordering::Relaxed))
        {
            // A file that cannot be opened leaves the old one in use.
            if let Ok(file) = open(path) {
                self.file = Some(file);
            }
        }
        match &mut self.file {
            Some(file) => file.write(line),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush(),
            None => io::stderr().flush(),
        }
    }
}
