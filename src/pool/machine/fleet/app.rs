//! An app.

use super::{super::ids::PoolId, allocation::Share};
use crate::config::AppConfig;

/// An app.
#[derive(Debug)]
pub struct App {
    /// Its configuration.
    pub config: AppConfig,
    /// Its pool.
    pub pool: PoolId,
    /// In how many seats it is loaded.
    pub share: Share,
    /// Why it cannot be loaded, as callers are told.
    pub last_error: Option<String>,
    /// A reload takes it out: old workers still serve it, new ones do not load it.
    pub leaving: bool,
    /// It is no longer served.
    pub removed: bool,
}

impl App {
    /// An app of a pool that nobody has loaded yet.
    pub fn new(pool: PoolId, config: &AppConfig) -> Self {
        let (config, share) = (config.clone(), configured_share(config));
        Self { config, pool, share, last_error: None, leaving: false, removed: false }
    }

    /// The name by which callers and workers know it.
    pub fn path(&self) -> &str {
        &self.config.path
    }

    /// Takes another configuration. The class may say something else by now: the
    /// first new worker tells.
    pub fn configure(&mut self, config: &AppConfig) {
        self.config = config.clone();
        self.share = configured_share(config);
    }
}

/// The share that the configuration fixes.
fn configured_share(config: &AppConfig) -> Share {
    config.workers.map_or(Share::Unknown, Share::Seats)
}
