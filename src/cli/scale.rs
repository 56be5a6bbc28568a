//! `dirtyd scale`: more workers, or fewer.

use std::process::ExitCode;

use dirtyd_client::proto::v1::ScaleRequest;

use super::{
    connect::{Target, block_on},
    leaving::{Leaving, Wait},
    say,
};
use crate::printable::count;

/// `dirtyd scale`.
#[derive(Debug, clap::Args)]
pub struct Scale {
    /// The number of workers that the pool should have
    workers: u32,
    /// The pool [default: the default pool]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pool: String,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    target: Target,
}

impl Scale {
    /// Scales; new workers boot and old ones drain after it has returned.
    ///
    /// # Errors
    /// Why the pool keeps its size.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let mut leaving = Leaving::watch(self.target.client().await?, self.wait).await?;
            let request = ScaleRequest { pool: self.pool, workers: self.workers };
            let done = leaving.admin().scale(request).await;
            let done = done.map_err(|status| leaving.failed(status))?.into_inner();
            let (before, now) = (done.previous_workers, count(done.workers, "worker"));
            say(format_args!("scaled: from {before} to {now}"));
            leaving.end().await
        })
    }
}
