//! `dirtyd_client`: the shared conformance cases, deadlines, retries, and the samples.

mod cases;
mod connection;
mod deadlines;
mod report;
mod retries;
mod samples;
mod tagged;

use crate::support::{Daemon, repository};

const APP: &str = "conformance:Conformance";

/// A daemon as the conformance cases want it.
async fn daemon() -> Daemon {
    let chdir = repository().join("tests/conformance");
    Daemon::start(&format!(
        "max_queue = 4\nmax_message_size = \"8MiB\"\nchdir = {chdir:?}\n[[app]]\npath = \"{APP}\""
    ))
    .await
}
