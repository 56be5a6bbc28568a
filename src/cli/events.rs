//! `dirtyd events`: what happens, as it happens.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::SystemTime,
};

use dirtyd_client::{
    Error, Reason,
    proto::v1::{EventKind, WatchEventsRequest, WatchEventsResponse, admin_client::AdminClient},
};
use serde_json::{Value as Json, json};

use super::{
    connect::{Target, block_on, explain},
    json::line,
};
use crate::printable::lines;

/// `dirtyd events`.
#[derive(Debug, clap::Args)]
pub struct Events {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Events {
    /// Prints events until interrupted, or until the arbiter drains.
    ///
    /// # Errors
    /// dirtyd is not there, or went away.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let client = self.target.client().await?;
            let mut admin = AdminClient::new(client.channel());
            let failed =
                |status| anyhow::anyhow!("{}", explain(&Error::of(status, client.socket())));
            let mut events =
                admin.watch_events(WatchEventsRequest {}).await.map_err(failed)?.into_inner();
            loop {
                let event = match events.message().await {
                    Ok(Some(event)) => event,
                    Ok(None) => break,
                    Err(status) => match Error::of(status, client.socket()) {
                        Error::Call(failure) if failure.reason == Reason::Draining => break,
                        Error::Connection { .. } => {
                            anyhow::bail!("the connection broke: dirtyd has stopped or restarted")
                        }
                        error => anyhow::bail!(explain(&error)),
                    },
                };
                let mut out = io::stdout().lock();
                match self.json {
                    true => writeln!(out, "{}", line(&as_json(&event)))?,
                    false => writeln!(out, "{}", as_text(&event))?,
                }
                out.flush()?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn as_text(event: &WatchEventsResponse) -> String {
    format!("{} {:<15} {}", time(event), kind(event), lines(event.message.trim_end()))
}

fn as_json(event: &WatchEventsResponse) -> Json {
    json!({
        "time": time(event), "kind": kind(event), "worker_id": event.worker_id,
        "worker_pid": event.worker_pid, "app": event.app, "pool": event.pool,
        "message": event.message,
    })
}

fn time(event: &WatchEventsResponse) -> String {
    let time = event.time.and_then(|time| SystemTime::try_from(time).ok());
    humantime::format_rfc3339_millis(time.unwrap_or(SystemTime::UNIX_EPOCH)).to_string()
}

/// The name of the kind, in small letters: `worker_started`.
fn kind(event: &WatchEventsResponse) -> String {
    let kind = EventKind::try_from(event.kind).unwrap_or_default().as_str_name();
    kind.trim_start_matches("EVENT_KIND_").to_lowercase()
}
