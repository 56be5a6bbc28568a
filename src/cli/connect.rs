//! What the subcommands that talk to a running dirtyd share.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use dirtyd_client::{CallFailure, Client, Error, Reason};
use tokio::time::{Instant, sleep};

use super::config_flags::ConfigFlags;
use crate::config::parse_duration;

/// How often to look for a dirtyd that is starting.
const LOOK: Duration = Duration::from_millis(20);

/// Where dirtyd listens.
#[derive(Debug, Args)]
pub struct Target {
    /// The socket of the running dirtyd [default: that of --config, else $DIRTYD_SOCKET, else the
    /// private directory of this user]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The configuration file of the running dirtyd, which says where its socket is
    #[arg(long, value_name = "FILE", env = "DIRTYD_CONFIG")]
    config: Option<PathBuf>,
    /// How long to wait for a dirtyd that is starting
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    connect_timeout: Duration,
}

impl Target {
    /// A client for it, once its socket is there, or was not for long enough: then the
    /// call itself says what is wrong.
    ///
    /// # Errors
    /// The configuration file cannot be used.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let client = match (&self.socket, &self.config) {
            (Some(socket), _) => Client::connect(socket),
            (None, Some(file)) => Client::connect(ConfigFlags::of_file(file, None).load()?.socket),
            (None, None) => Client::from_env(),
        };
        let until = Instant::now() + self.connect_timeout;
        // Not by connecting, which takes a connection of this user.
        while !client.socket().exists() && Instant::now() < until {
            sleep(LOOK).await;
        }
        Ok(client)
    }
}

/// Runs a client's future on a runtime of its own.
///
/// # Errors
/// The runtime cannot be built, or the future's own.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

/// An error of a call as a person reads it: reason and code, what happened, the facts in
/// one line, and last what the app itself has to say.
pub fn explain(error: &Error) -> String {
    let Error::Call(failure) = error else { return error.to_string() };
    let CallFailure { code, reason, message, retry_after, remote_traceback, facts, .. } =
        &**failure;
    let fact = |key: &str| facts.get(key).filter(|value| !value.is_empty());
    let message = match reason {
        // What it says otherwise is for those who write a client.
        Reason::ActionStreams => "the action streams; use `dirtyd stream`".to_owned(),
        Reason::AppNotFound => format!("{message}{}", meant(fact("app").map_or("", |app| app))),
        _ => message.clone(),
    };
    let mut text = match reason {
        Reason::AppError => format!("the app raised {message}"),
        reason => format!("{reason}: {message}"),
    };
    let mut known = vec![format!("code {}", spelled(*code))];
    if let (Some(app), Some(action)) = (fact("app"), fact("action")) {
        known.push(format!("action {action} of {app}"));
    }
    if let (Some(id), Some(pid)) = (fact("worker_id"), fact("worker_pid")) {
        known.push(format!("worker {id} (pid {pid})"));
    }
    known.extend(fact("request_id").map(|id| format!("request {id}")));
    known.extend(retry_after.map(|after| format!("retry after {after:.1?}")));
    text += &format!("\n  {}", known.join(", "));
    // One without frames is the message again.
    let frames =
        |traceback: &&String| traceback.trim_end().lines().count() > message.lines().count();
    if let Some(traceback) = remote_traceback.as_ref().filter(frames) {
        text += &format!("\nthe traceback in the app:\n{}", traceback.trim_end());
    }
    text
}

/// What is meant by the path of an app that is written as Python writes a class.
fn meant(app: &str) -> String {
    match app.rsplit_once('.') {
        Some((module, class)) if !app.contains(':') => {
            format!("; did you mean `{module}:{class}`?")
        }
        _ => String::new(),
    }
}

/// A code as gRPC spells it: `NOT_FOUND`.
fn spelled(code: tonic::Code) -> String {
    let mut text = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_spelled_as_grpc_does() {
        assert_eq!(spelled(tonic::Code::NotFound), "NOT_FOUND");
        assert_eq!(spelled(tonic::Code::Ok), "OK");
    }
}
