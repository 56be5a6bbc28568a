//! stub
use std::process::ExitCode;
/// `dirtyd top`.
#[derive(Debug, clap::Args)]
pub struct Top {}
impl Top {
    /// x
    ///
    /// # Errors
    /// x
    pub fn run(self) -> anyhow::Result<ExitCode> {
        Ok(ExitCode::SUCCESS)
    }
}
