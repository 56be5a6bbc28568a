//! `dirtyd stacks`: what workers do now, without stopping them.

mod native;
mod text;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use dirtyd_client::proto::v1::{
    CallStatus, GetStacksRequest, GetStacksResponse, Stack, StackFrame, StackKind, StatusResponse,
    WorkerStatus,
};
use serde_json::{Value as Json, json};

use super::{
    connect::{Target, block_on},
    json::line,
    operator::Operator,
    say,
    which::{Which, name, there_are},
};

/// `dirtyd stacks`.
#[derive(Debug, clap::Args)]
pub struct Stacks {
    /// The worker: the arbiter's number for it, or, if none has that number, its pid [default: the
    /// only worker, else all that have a call]
    #[arg(value_name = "WORKER")]
    worker: Option<Which>,
    /// All workers
    #[arg(long, conflicts_with = "worker")]
    all: bool,
    /// Run py-spy, which must be installed, for native frames and for a worker that does not
    /// answer
    #[arg(long, conflicts_with = "json")]
    native: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

impl Stacks {
    /// Prints the stacks.
    ///
    /// # Errors
    /// dirtyd is not there, or there is no such worker.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let mut operator = Operator::at(&self.target).await?;
            let status = operator.status().await?;
            let workers = self.meant(&status)?;
            if workers.is_empty() && !self.json {
                let workers = there_are(&status);
                say(format_args!("no worker has a call; name one, or all by --all: {workers}"));
            }
            match (self.native, self.json) {
                (true, _) => native::dump(&workers),
                (_, true) => as_json(&mut operator, &workers).await,
                _ => as_text(&mut operator, &workers).await,
            }
        })
    }

    /// The workers that are meant.
    fn meant<'a>(&self, status: &'a StatusResponse) -> anyhow::Result<Vec<&'a WorkerStatus>> {
        let all: Vec<_> = status.workers.iter().collect();
        Ok(match self.worker {
            Some(which) => vec![which.of(status)?],
            None if all.is_empty() => bail!("{}", there_are(status)),
            None if self.all || all.len() == 1 => all,
            None => all.into_iter().filter(|worker| worker.in_flight > 0).collect(),
        })
    }
}

async fn as_text(operator: &mut Operator, workers: &[&WorkerStatus]) -> anyhow::Result<ExitCode> {
    let calls = calls(operator).await;
    let mut first = true;
    for worker in workers {
        let stacks = operator.admin().get_stacks(GetStacksRequest { worker_id: worker.id }).await;
        let text = match stacks {
            Ok(answer) => text::of(worker, &answer.into_inner(), &calls),
            // A worker may end meanwhile; the others are shown.
            Err(status) if workers.len() > 1 => {
                format!("{}: {}\n", name(worker), operator.failed(status))
            }
            Err(status) => return Err(operator.failed(status)),
        };
        let mut out = io::stdout().lock();
        let between = if first { "" } else { "\n" };
        write!(out, "{between}{text}")?;
        out.flush()?;
        first = false;
    }
    Ok(ExitCode::SUCCESS)
}

async fn as_json(operator: &mut Operator, workers: &[&WorkerStatus]) -> anyhow::Result<ExitCode> {
    let mut all = Vec::new();
    for worker in workers {
        let stacks = operator.admin().get_stacks(GetStacksRequest { worker_id: worker.id }).await;
        let stacks = match stacks {
            Ok(answer) => answer.into_inner(),
            Err(status) if workers.len() > 1 => GetStacksResponse {
                worker_pid: worker.pid,
                note: operator.failed(status).to_string(),
                stacks: Vec::new(),
            },
            Err(status) => return Err(operator.failed(status)),
        };
        all.push(json!({
            "worker_id": worker.id, "worker_pid": stacks.worker_pid, "note": stacks.note,
            "stacks": stacks.stacks.iter().map(stack).collect::<Vec<_>>(),
        }));
    }
    writeln!(io::stdout(), "{}", line(&json!({ "workers": all })))?;
    Ok(ExitCode::SUCCESS)
}

fn stack(stack: &Stack) -> Json {
    let frame = |frame: &StackFrame| {
        json!({
            "function": frame.function, "file": frame.file, "line": frame.line,
            "source": frame.source,
        })
    };
    let kind = match stack.kind() {
        StackKind::Unspecified => "unknown",
        StackKind::Thread => "thread",
        StackKind::Task => "task",
    };
    json!({
        "name": stack.name, "kind": kind, "call_id": stack.call_id, "note": stack.note,
        "frames": stack.frames.iter().map(frame).collect::<Vec<_>>(),
    })
}

/// The stacks of one worker, for a person.
///
/// # Errors
/// dirtyd is not there, or there is no such worker.
pub async fn text_of(operator: &mut Operator, worker_id: u64) -> anyhow::Result<String> {
    let status = operator.status().await?;
    let stacks = operator.admin().get_stacks(GetStacksRequest { worker_id }).await;
    let stacks = stacks.map_err(|status| operator.failed(status))?.into_inner();
    let worker = status.workers.iter().find(|worker| worker.id == worker_id);
    let worker = worker.with_context(|| format!("worker {worker_id} has just ended"))?;
    Ok(text::of(worker, &stacks, &calls(operator).await))
}

/// The calls, for their names; stacks are worth reading without them.
async fn calls(operator: &mut Operator) -> Vec<CallStatus> {
    operator.calls(String::new(), 0).await.map(|calls| calls.calls).unwrap_or_default()
}
