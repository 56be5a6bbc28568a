//! The configuration that was valid last. A file that has become bad must change
//! nothing, not even if the dirty arbiter dies before it is mended: the next one
//! starts with what was valid, which the main arbiter keeps in memory for it.

use std::sync::Arc;

use super::config_flags::ConfigFlags;
use crate::{
    config::{Config, ConfigError, Raw},
    process::memo::Memo,
};

/// Loads a configuration, and remembers its file while that is valid.
#[derive(Debug, Clone)]
pub struct Valid {
    flags: ConfigFlags,
    memo: Arc<Memo>,
}

impl Valid {
    /// What these flags say, with what an earlier process has remembered.
    pub fn new(flags: &ConfigFlags, memo: Memo) -> Self {
        Self { flags: flags.clone(), memo: Arc::new(memo) }
    }

    /// The configuration as it is now.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let (config, text) = self.flags.read()?;
        if let Err(error) = self.memo.write(&text) {
            tracing::warn!(
                "cannot keep a copy of the configuration, for when the file becomes invalid: {error}"
            );
        }
        Ok(config)
    }

    /// The configuration as it is now, or else as it was valid last; then also
    /// what is wrong with it now.
    ///
    /// # Errors
    /// It is bad now, and none was valid before.
    pub fn load_or_last(&self) -> Result<(Config, Option<ConfigError>), ConfigError> {
        match self.load() {
            Ok(config) => Ok((config, None)),
            Err(error) => match self.last() {
                Some(config) => Ok((config, Some(error))),
                None => Err(error),
            },
        }
    }

    fn last(&self) -> Option<Config> {
        let text = self.memo.read().ok().filter(|text| !text.is_empty())?;
        let file = Raw::from_text(self.flags.path()?, text).ok()?;
        self.flags.complete(file).ok()
    }
}
