//! The access log: one line for each call, to the log or to a file of its own.
//!
//! [`choice`] decides which calls have a line, [`mod@line`] makes it, both purely. Writing to a
//! file is the duty of a thread of its own ([`writer`]): a disk that is full, slow or gone
//! costs lines, which are counted, and never a call.

mod choice;
mod file;
mod line;
mod writer;

#[cfg(test)]
mod tests;

use std::{io, time::Duration};

use crate::{
    config::{AccessLogConfig, LogFormat},
    logging,
};

use super::record::CallRecord;
use choice::Choice;
use line::Line;
use writer::Writer;

/// The access log.
#[derive(Debug)]
pub struct AccessLog {
    choice: Choice,
    format: LogFormat,
    /// The file, if it has one; else the lines go to the log.
    file: Option<Writer>,
}

impl AccessLog {
    /// Starts it. `None` if no call can have a line. A file that cannot be opened is tried
    /// again, and its lines are dropped meanwhile: no service fails for its access log.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(config: &AccessLogConfig) -> io::Result<Option<Self>> {
        let Some(choice) = Choice::new(config) else {
            return Ok(None);
        };
        let file = config.file.as_deref().map(|path| Writer::start(path, config.format));
        Ok(Some(Self { choice, format: config.format, file: file.transpose()? }))
    }

    /// Tries whether its file can be opened, where an operator still looks.
    ///
    /// # Errors
    /// It cannot; the text names it and the key.
    pub fn check(config: &AccessLogConfig) -> io::Result<()> {
        match (Choice::new(config), &config.file) {
            (Some(_), Some(path)) => file::open(path).map(drop),
            _ => Ok(()),
        }
    }

    /// Whether a call has a line that ended so, after this time. It may be a matter of chance.
    pub fn wants(&self, is_ok: bool, took: Duration) -> bool {
        self.choice.takes(is_ok, took, || fastrand::u64(..))
    }

    /// Writes the line of a call, or counts it as dropped. It never waits.
    pub fn write(&self, record: &CallRecord<'_>) {
        let line = Line::of(record);
        match (&self.file, self.format) {
            (Some(file), LogFormat::Text) => file.put(format!("{} {line}\n", line.time())),
            (Some(file), LogFormat::Json) => file.put(line.json() + "\n"),
            // The log has a time of its own for each line.
            (None, LogFormat::Text) => tracing::info!(target: logging::ACCESS, "{line}"),
            (None, LogFormat::Json) => into_log(&line),
        }
    }

    /// The number of lines that are missing in its file. Those that the log itself drops are
    /// told there.
    pub fn dropped(&self) -> u64 {
        self.file.as_ref().map_or(0, Writer::dropped)
    }

    /// Opens the file anew before the next line, after it was rotated.
    pub fn reopen(&self) {
        self.file.iter().for_each(Writer::reopen);
    }
}

/// Writes the fields of a line as those of an event, so that a log of JSON has them beside
/// its own.
fn into_log(line: &Line<'_>) {
    tracing::info!(
        target: logging::ACCESS,
        uid = line.uid,
        pid = line.pid,
        protocol = line.protocol,
        app = line.app,
        action = line.action,
        stream = line.stream,
        code = line.code,
        reason = line.reason,
        queue_ms = line.queue_ms,
        run_ms = line.run_ms,
        first_chunk_ms = line.first_chunk_ms,
        total_ms = line.total_ms,
        chunks = line.chunks,
        bytes_in = line.bytes_in,
        bytes_out = line.bytes_out,
        worker_id = line.worker_id,
        worker_pid = line.worker_pid,
        call_id = line.call_id,
        request_id = line.request_id,
        trace_id = line.trace_id.as_deref(),
        "call"
    );
}
