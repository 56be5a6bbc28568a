//! `dirtyd reload`: new configuration and new code, in new workers.

use std::process::ExitCode;

use dirtyd_client::{
    Error,
    proto::v1::{ReloadRequest, admin_client::AdminClient},
};

use super::connect::{Target, block_on, explain};

/// `dirtyd reload`.
#[derive(Debug, clap::Args)]
pub struct Reload {
    /// The only pool to reload; the others stay as they run [default: all pools]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pool: String,
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
            let client = self.target.client();
            let mut admin = AdminClient::new(client.channel());
            let done = admin.reload(ReloadRequest { pool: self.pool }).await.map_err(|status| {
                anyhow::anyhow!("{}", explain(&Error::of(status, client.socket())))
            })?;
            println!("reloaded: {} workers replaced", done.into_inner().replaced_workers);
            Ok(ExitCode::SUCCESS)
        })
    }
}
