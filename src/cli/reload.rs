//! `dirtyd reload`: new configuration and new code, in new workers.

use std::process::ExitCode;

use dirtyd_client::proto::v1::{PendingUntil, ReloadRequest};

use super::{
    connect::{Target, block_on},
    leaving::{Leaving, Wait},
    say,
};
use crate::printable::count;

/// `dirtyd reload`.
#[derive(Debug, clap::Args)]
pub struct Reload {
    /// Reload only this pool [default: all pools]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pool: String,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    target: Target,
}

impl Reload {
    /// Reloads, and waits until every worker is replaced.
    ///
    /// # Errors
    /// Why the old workers stay.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        block_on(async {
            let mut leaving = Leaving::watch(self.target.client().await?, self.wait).await?;
            let done = leaving.admin().reload(ReloadRequest { pool: self.pool }).await;
            let done = done.map_err(|status| leaving.failed(status))?.into_inner();
            say(format_args!("reloaded: {} replaced", count(done.replaced_workers, "worker")));
            for (until, remedy) in [
                (PendingUntil::Upgrade, "an upgrade or a restart"),
                (PendingUntil::Restart, "a restart"),
            ] {
                let keys = done.pending_keys.iter().filter(|key| key.until() == until);
                let keys: Vec<_> = keys.map(|key| key.key.as_str()).collect();
                if !keys.is_empty() {
                    let keys = keys.join(", ");
                    say(format_args!("not changed: {keys}; changing them needs {remedy}"));
                }
            }
            leaving.end().await
        })
    }
}
