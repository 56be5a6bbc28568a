//! The log: one line per event, to stderr or a file that can be reopened. The
//! arbiter never waits for whoever reads it: a full buffer drops lines, and
//! counts them.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc,
};
use tracing::field::Field;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    EnvFilter,
    field::MakeExt as _,
    fmt::format::{Writer, debug_fn},
};

use crate::{
    config::{Config, LogConfig, LogFormat, OutputLevel},
    printable,
};

/// The target of what workers write.
pub const OUTPUT: &str = "dirtyd::output";
/// The target of the lines of calls, if the access log has no file. Its own keys decide which
/// there are, so the filter lets all through.
pub const ACCESS: &str = "dirtyd::access";
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
        let of_output = of_output(config.worker_output);
        let filter = format!("{},{of_output},{ACCESS}=info", config.filter);
        let filter = EnvFilter::try_new(filter).map_err(|error| {
            io::Error::other(format!("log_filter: `{}`: {error}", config.filter))
        })?;
        let reopen = Arc::new(AtomicBool::new(false));
        let output = Output::open(config, Arc::clone(&reopen))?;
        let lost = Arc::clone(&output.lost);
        let (writer, guard) = NonBlockingBuilder::default()
            .buffered_lines_limit(BUFFERED_LINES)
            .lossy(true)
            .finish(output);
        // The output reads it only once lines come, which is later.
        let _ = lost.set(writer.error_counter());
        let is_terminal = config.file.is_none() && io::IsTerminal::is_terminal(&io::stderr());
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(writer)
            .with_ansi(is_terminal);
        match config.format {
            LogFormat::Text => {
                builder.with_target(false).fmt_fields(debug_fn(field).delimited(" ")).init();
            }
            LogFormat::Json => builder.json().flatten_event(true).init(),
        }
        Ok(Self { _guard: Arc::new(guard), reopen })
    }

    /// Opens the file anew before the next line, after it was rotated.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }
}

/// The part of the filter that lets through what workers write.
fn of_output(from: OutputLevel) -> String {
    let level = match from {
        OutputLevel::Off => "off",
        OutputLevel::Error => "error",
        OutputLevel::Warn => "warn",
        OutputLevel::Info => "info",
        OutputLevel::Debug => "debug",
    };
    format!("{OUTPUT}={level}")
}

/// Logs where the configuration comes from, and what in it is hardly meant.
pub fn sources(config: &Config) {
    let file = match config.file() {
        Some(file) => format!("configuration from {}", file.display()),
        None => "configuration without a file".to_owned(),
    };
    let sources: Vec<_> = [file].into_iter().chain(config.from_outside()).collect();
    tracing::info!("{}", sources.join(", "));
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

/// A field of a line of text. What others wrote is escaped, and begins no line.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = format!("{value:?}");
    match field.name() {
        "message" => writer.write_str(&printable::record(&value)),
        name => write!(writer, "{name}={}", printable::one_line(&value)),
    }
}

/// Where lines go; used by the writing thread only.
struct Output {
    path: Option<PathBuf>,
    file: Option<File>,
    reopen: Arc<AtomicBool>,
    format: LogFormat,
    /// The count of lines that found the buffer full, and what was told of it.
    lost: Arc<OnceLock<ErrorCounter>>,
    told: usize,
}

impl Output {
    fn open(config: &LogConfig, reopen: Arc<AtomicBool>) -> io::Result<Self> {
        let file = config.file.as_ref().map(open).transpose()?;
        let (path, format, lost) = (config.file.clone(), config.format, Arc::default());
        Ok(Self { path, file, reopen, format, lost, told: 0 })
    }

    /// The line that says how many others are missing here, if any are.
    fn gap(&mut self) -> Option<String> {
        let lost = self.lost.get()?.dropped_lines();
        let missing = lost.saturating_sub(std::mem::replace(&mut self.told, lost));
        if missing == 0 {
            return None;
        }
        let time = humantime::format_rfc3339_micros(SystemTime::now());
        let message =
            format!("{missing} lines are missing here, because the reader of the log was too slow");
        Some(match self.format {
            LogFormat::Text => format!("{time}  WARN {message}\n"),
            LogFormat::Json => {
                format!(r#"{{"timestamp":"{time}","level":"WARN","message":"{message}"}}"#) + "\n"
            }
        })
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => io::stderr().write(bytes),
        }
    }
}

/// Opens a file of the log. It may be a pipe, such as `/dev/stdout` in a container;
/// one that nobody reads is not waited for.
fn open(path: &PathBuf) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let opened = OpenOptions::new().create(true).append(true).custom_flags(flags.bits()).open(path);
    let file = opened.map_err(|error| {
        let why = match error.raw_os_error() {
            Some(libc::ENXIO) => "no process reads that pipe".to_owned(),
            _ => error.to_string(),
        };
        io::Error::new(error.kind(), format!("log_file: cannot open {}: {why}", path.display()))
    })?;
    // Only the opening is not to wait; whoever reads it is waited for, by this thread.
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    Ok(file)
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
        if let Some(gap) = self.gap() {
            self.put(gap.as_bytes())?;
        }
        self.put(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush(),
            None => io::stderr().flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::mpsc};

    use super::*;

    /// Somebody who reads nothing until told.
    struct Slow(mpsc::Receiver<()>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_were_dropped_are_counted_in_the_log() {
        let (go_on, slow) = mpsc::channel();
        let builder = NonBlockingBuilder::default().buffered_lines_limit(1).lossy(true);
        let (mut writer, _guard) = builder.finish(Slow(slow));
        for _ in 0..20 {
            writer.write_all(b"a line\n").expect("it never fails");
        }
        let dropped = writer.error_counter().dropped_lines();
        assert!(dropped > 10, "{dropped}");
        let file = tempfile::NamedTempFile::new().expect("a file");
        let config = LogConfig {
            worker_output: OutputLevel::Info,
            file: Some(file.path().to_owned()),
            format: LogFormat::Text,
            filter: String::new(),
        };
        let mut output = Output::open(&config, Arc::default()).expect("a log");
        assert!(output.lost.set(writer.error_counter()).is_ok());
        output.write_all(b"the next\n").expect("written");
        output.write_all(b"and another\n").expect("written");
        let log = fs::read_to_string(file.path()).expect("the log");
        let gap = format!("WARN {dropped} lines are missing here");
        assert!(log.contains(&gap) && log.matches("missing").count() == 1, "{log}");
        assert!(log.ends_with("the next\nand another\n"), "{log}");
        drop(go_on);
    }
}
