//! The access log with its file, as calls use it.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    time::Instant,
};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::*;
use crate::{
    call::Peer,
    config,
    observe::{record::Outcome, sample::record},
};

fn config(file: &Path) -> AccessLogConfig {
    AccessLogConfig {
        calls: config::AccessLog::All,
        file: Some(file.to_owned()),
        format: LogFormat::Text,
        slow: None,
        sample: 1.0,
    }
}

fn start(file: &Path) -> AccessLog {
    AccessLog::start(&config(file)).expect("it opens").expect("calls have lines")
}

/// A pipe at a path, with an end that reads it.
fn pipe(folder: &Path) -> (PathBuf, File) {
    let path = folder.join("pipe");
    if !path.exists() {
        mkfifo(&path, Mode::S_IRWXU).expect("a pipe");
    }
    // Opened for both, it does not wait for a writer.
    let reader = OpenOptions::new().read(true).write(true).open(&path).expect("it opens");
    (path, reader)
}

#[test]
fn each_call_that_is_wanted_has_a_line_in_a_file_of_its_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("access.log");
    let log = start(&path);
    let mut record = record(&Peer::Unknown);
    assert!(log.wants(record.outcome.is_ok(), record.duration()));
    log.write(&record);
    record.outcome = Outcome { code: "UNKNOWN", reason: "APP_ERROR", message: "secret" };
    log.write(&record);
    assert_eq!(log.dropped(), 0);
    drop(log);
    let text = fs::read_to_string(&path).expect("the file");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("2026-11-30T16:48:20.623Z OK ml:Model.embed "), "{text}");
    assert!(lines[1].contains(" APP_ERROR ") && !text.contains("secret"), "{text}");
    assert_eq!(fs::metadata(&path).expect("the file").mode() & 0o777, 0o600);
}

#[test]
fn a_full_disk_fails_no_call() {
    let log = start(Path::new("/dev/full"));
    let record = record(&Peer::Unknown);
    (0..100).for_each(|_| log.write(&record));
    let shared = log.file.as_ref().expect("a file");
    let until = Instant::now() + std::time::Duration::from_secs(10);
    while shared.dropped() < 100 {
        assert!(Instant::now() < until, "{} of 100 lines are counted", shared.dropped());
        std::thread::yield_now();
    }
}

#[test]
fn a_reader_that_goes_and_comes_back_is_told_how_many_lines_it_missed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, reader) = pipe(folder.path());
    let log = start(&path);
    let record = record(&Peer::Unknown);
    log.write(&record);
    let mut first = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut first).expect("a line");
    assert!(first.contains("ml:Model.embed"), "{first}");
    drop(reader);
    log.write(&record);
    let until = Instant::now() + std::time::Duration::from_secs(10);
    while log.dropped() < 1 {
        assert!(Instant::now() < until, "nothing is counted");
        std::thread::yield_now();
    }
    let (_, reader) = pipe(folder.path());
    let mut told = String::new();
    BufReader::new(reader).read_line(&mut told).expect("a line");
    assert!(told.ends_with(" 1 line is missing here\n"), "{told}");
}

#[test]
fn a_reader_that_reads_nothing_costs_lines_and_no_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, mut reader) = pipe(folder.path());
    let log = start(&path);
    let record = record(&Peer::Unknown);
    let mut lines = 0;
    while log.dropped() == 0 {
        log.write(&record);
        lines += 1;
        assert!(lines < 1_000_000, "what waits has no bound");
    }
    assert!(lines > 1000, "{lines}");
    // It reads on: what waited is there, and then the end.
    let mut some = vec![0; 1024 * 1024];
    reader.read_exact(&mut some).expect("lines");
    assert!(some.starts_with(b"2026-11-30T16:48:20.623Z OK "));
}

#[test]
fn a_file_that_was_rotated_is_opened_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, old) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let log = start(&path);
    let record = record(&Peer::Unknown);
    log.write(&record);
    let until = Instant::now() + std::time::Duration::from_secs(10);
    while fs::read_to_string(&path).expect("the file").is_empty() {
        assert!(Instant::now() < until, "no line");
        std::thread::yield_now();
    }
    fs::rename(&path, &old).expect("renamed");
    log.reopen();
    log.write(&record);
    drop(log);
    for file in [path, old] {
        assert_eq!(fs::read_to_string(&file).expect("the file").lines().count(), 1, "{file:?}");
    }
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("link");
    symlink("elsewhere", &link).expect("a link");
    let error = AccessLog::check(&config(&link)).expect_err("refused").to_string();
    assert!(
        error.starts_with("access_log_file: cannot open ") && error.contains("symbolic link"),
        "{error}"
    );
}

#[test]
fn a_log_that_is_off_is_none() {
    let config =
        AccessLogConfig { calls: config::AccessLog::Off, ..config(Path::new("/nowhere/at/all")) };
    assert!(AccessLog::start(&config).expect("no file is opened").is_none());
    AccessLog::check(&config).expect("no file is needed");
}
