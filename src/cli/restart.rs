//! `dirtyd restart`: one worker is replaced.

use std::process::ExitCode;

use dirtyd_client::proto::v1::{RestartWorkerRequest, StatusRequest};

use super::{
    connect::{Target, block_on},
    leaving::{Leaving, Wait},
    say,
    which::Which,
};
use crate::printable::one_line;

/// `dirtyd restart`.
#[derive(Debug, clap::Args)]
pub struct Restart {
    /// The worker: the arbiter's number for it, or, if none has that number, its pid; `dirtyd
    /// status` lists both
    #[arg(value_name = "WORKER")]
    worker: Which,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    target: Target,
}

impl Restart {
    /// Begins to replace the worker, and waits for its end if that was asked for.
    ///
    /// # Errors
    /// There is no such worker, or it leaves anyway.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let mut leaving = Leaving::watch(self.target.client().await?, self.wait).await?;
            let status = leaving.admin().status(StatusRequest {}).await;
            let status = status.map_err(|status| leaving.failed(status))?.into_inner();
            let worker_id = self.worker.of(&status)?.id;
            let begun = leaving.admin().restart_worker(RestartWorkerRequest { worker_id }).await;
            let begun = begun.map_err(|status| leaving.failed(status))?.into_inner();
            say(format_args!(
                "restarting: worker {worker_id} (pid {}) of pool `{}` leaves once another one is ready",
                begun.worker_pid,
                one_line(&begun.pool),
            ));
            leaving.end_of(worker_id).await
        })
    }
}
