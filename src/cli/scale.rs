//! `dirtyd scale`: more workers, or fewer.

use std::process::ExitCode;

use dirtyd_client::{
    Error,
    proto::v1::{ScaleRequest, admin_client::AdminClient},
};

use super::connect::{Target, block_on, explain};

/// `dirtyd scale`.
#[derive(Debug, clap::Args)]
pub struct Scale {
    /// The number of workers that the pool should have
    workers: u32,
    /// The pool [default: the default pool]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pool: String,
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
            let client = self.target.client();
            let mut admin = AdminClient::new(client.channel());
            let request = ScaleRequest { pool: self.pool, workers: self.workers };
            let done = admin.scale(request).await.map_err(|status| {
                anyhow::anyhow!("{}", explain(&Error::of(status, client.socket())))
            })?;
            let done = done.into_inner();
            println!("scaled: from {} to {} workers", done.previous_workers, done.workers);
            Ok(ExitCode::SUCCESS)
        })
    }
}
