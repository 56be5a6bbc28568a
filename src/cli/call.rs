//! `dirtyd call` and `dirtyd stream`.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use dirtyd_client::{Client, Value};

use super::{
    connect::{Target, block_on, explain},
    json,
};
use crate::config::parse_duration;

/// The arguments of both.
#[derive(Debug, clap::Args)]
struct Invocation {
    /// The app, as it is configured, such as `myapp.ml:MLApp`
    app: String,
    /// The action
    action: String,
    /// Positional arguments, each one JSON value; bytes are {"$bytes": "base64"}
    #[arg(value_name = "JSON-ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// Keyword arguments, as one JSON object
    #[arg(long, value_name = "JSON")]
    kwargs: Option<String>,
    /// Deadline of the call, such as 5s or 250ms; then the action is told to stop
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    target: Target,
}

/// `dirtyd call`.
#[derive(Debug, clap::Args)]
pub struct Call {
    #[command(flatten)]
    invocation: Invocation,
}

/// `dirtyd stream`.
#[derive(Debug, clap::Args)]
pub struct Stream {
    /// Print chunks of text or bytes as they are, with nothing between them
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    invocation: Invocation,
}

impl Invocation {
    async fn client(&self) -> anyhow::Result<Client> {
        let client = self.target.client().await?;
        Ok(match self.timeout {
            Some(timeout) => client.with_timeout(timeout),
            None => client,
        })
    }

    fn arguments(&self) -> anyhow::Result<dirtyd_client::Args> {
        let args = (self.args.iter().enumerate())
            .map(|(index, text)| {
                json::parse(text).with_context(|| format!("argument {}", index + 1))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut args = dirtyd_client::Args::from(args);
        if let Some(text) = &self.kwargs {
            match json::parse(text).context("--kwargs")? {
                Value::Map(kwargs) => args.kwargs = kwargs,
                _ => anyhow::bail!(
                    "--kwargs: `{text}` is not a JSON object; write {{\"name\": value}}"
                ),
            }
        }
        Ok(args)
    }
}

impl Call {
    /// Runs the action and prints its result.
    ///
    /// # Errors
    /// The arguments are malformed or the call failed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let call = self.invocation;
        let args = call.arguments()?;
        let result = block_on(async {
            Ok(call.client().await?.execute(&call.app, &call.action, args).await)
        })?;
        match result {
            Ok(value) => {
                writeln!(io::stdout(), "{}", json::render(&value))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => anyhow::bail!("{}", explain(&error)),
        }
    }
}

impl Stream {
    /// Runs the action and prints its chunks. A reader of stdout that leaves,
    /// such as `head`, ends the action.
    ///
    /// # Errors
    /// The arguments are malformed or the call failed.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (raw, call) = (self.raw, self.invocation);
        let args = call.arguments()?;
        block_on(async {
            let fail = |error| anyhow::anyhow!("{}", explain(&error));
            let client = call.client().await?;
            let mut stream = client.stream(&call.app, &call.action, args).await.map_err(fail)?;
            while let Some(chunk) = stream.next().await {
                let chunk = match (chunk.map_err(fail)?, raw) {
                    (Value::String(text), true) => text.into_bytes(),
                    (Value::Bytes(bytes), true) => bytes.to_vec(),
                    (chunk, _) => (json::render(&chunk) + "\n").into_bytes(),
                };
                let mut out = io::stdout().lock();
                match out.write_all(&chunk).and_then(|()| out.flush()) {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                    result => result?,
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}
