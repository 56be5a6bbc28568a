//! Reading the configuration again, for a reload. The file system may be slow, and
//! nobody else waits for it.

use std::{fmt, panic, sync::Arc};

use crate::config::{Config, ConfigError};

type Read = dyn Fn() -> Result<Config, ConfigError> + Send + Sync;

/// Reads the configuration again.
#[derive(Clone)]
pub struct ReloadConfig(Arc<Read>);

impl ReloadConfig {
    /// Reads it with `read`, which may block for a limited time.
    pub fn new(read: impl Fn() -> Result<Config, ConfigError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// The same, with `then` applied to each configuration.
    #[must_use]
    pub fn map(self, then: impl Fn(Config) -> Config + Send + Sync + 'static) -> Self {
        Self::new(move || (self.0)().map(&then))
    }

    /// The configuration as it is now, read on another thread.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub async fn read(&self) -> Result<Config, ConfigError> {
        let read = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || read()).await {
            Ok(read) => read,
            Err(failed) => panic::resume_unwind(failed.into_panic()),
        }
    }
}

impl fmt::Debug for ReloadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReloadConfig")
    }
}
