//! What the subcommands that talk to a running dirtyd share.

use std::path::PathBuf;

use clap::Args;
use dirtyd_client::{CallFailure, Client, Error};

/// Where dirtyd listens.
#[derive(Debug, Args)]
pub struct Target {
    /// The socket of the running dirtyd [default: the private directory of this user]
    #[arg(long, value_name = "PATH", env = "DIRTYD_SOCKET")]
    pub socket: Option<PathBuf>,
}

impl Target {
    /// A client for it.
    pub fn client(&self) -> Client {
        match &self.socket {
            Some(path) => Client::connect(path),
            None => Client::from_env(),
        }
    }
}

/// Runs a client's future on a runtime of its own.
///
/// # Errors
/// The runtime cannot be built, or the future's own.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// An error of a call as a person reads it: code and reason, message, the
/// facts, and the traceback of the app.
pub fn explain(error: &Error) -> String {
    let Error::Call(failure) = error else { return error.to_string() };
    let CallFailure { code, message, retry_after, remote_traceback, facts, .. } = &**failure;
    let mut text = String::new();
    if let Some(traceback) = remote_traceback {
        text += traceback.trim_end();
        text += "\n";
    }
    text += &format!("{code:?}: {message}");
    let shown = ["app", "action", "worker_id", "worker_pid", "request_id"];
    let known: Vec<String> =
        (shown.iter()).filter_map(|key| Some(format!("{key}={}", facts.get(*key)?))).collect();
    if !known.is_empty() {
        text += &format!("\n  ({})", known.join(", "));
    }
    if let Some(after) = retry_after {
        text += &format!("\n  retry after {after:.1?}");
    }
    text
}
