//! What was before a reload, for one that fails before it has replaced anything.

use std::{collections::HashMap, sync::Arc};

use super::{
    super::{
        Machine, Shared,
        fleet::Share,
        ids::{AppId, PoolId},
        turn::Turn,
    },
    Scope,
};
use crate::config::{AppConfig, PoolConfig};

/// The tables as far as a reload changes them: those of the pools in its scope.
#[derive(Debug)]
pub struct Rollback {
    shared: Shared,
    names: HashMap<String, AppId>,
    pools: Vec<(PoolId, Arc<PoolConfig>, Vec<Vec<AppId>>)>,
    apps: Vec<(AppId, AppConfig, Share)>,
    /// The rows that the reload has added.
    pub added_pools: Vec<PoolId>,
    /// The rows that the reload has added.
    pub added_apps: Vec<AppId>,
}

impl Machine {
    pub(super) fn rollback(&self, scope: &Scope) -> Rollback {
        let name = |pool: PoolId| &self.fleet.pool(pool).config.name;
        let pools = (self.fleet.pool_ids().into_iter()).filter(|pool| scope.has(name(*pool)));
        let pools = pools.map(|pool| {
            let seats = self.fleet.seats(pool).map(|(_, seat)| seat.apps.clone()).collect();
            (pool, Arc::clone(&self.fleet.pool(pool).config), seats)
        });
        let apps = (self.fleet.apps())
            .filter(|(_, app)| scope.has(name(app.pool)))
            .map(|(id, app)| (id, app.config.clone(), app.share));
        Rollback {
            shared: self.shared.clone(),
            names: self.fleet.names().clone(),
            pools: pools.collect(),
            apps: apps.collect(),
            added_pools: Vec::new(),
            added_apps: Vec::new(),
        }
    }

    /// For a reload that has replaced something, but not all: shares that nobody
    /// has told again are those that were known, and an app that was to move is
    /// where it is served.
    pub(super) fn keep_half(&mut self, old: Rollback, turn: &mut Turn<'_>) {
        for (app, _, share) in &old.apps {
            if let Some(row) = self.fleet.app_mut(*app)
                && row.share == Share::Unknown
            {
                row.share = *share;
            }
        }
        for new in old.added_apps {
            let path = self.fleet.app(new).path();
            let Some(before) = old.names.get(path).copied() else { continue };
            if self.dispatch.servers(new) > 0 {
                self.remove_app(before, turn);
            } else {
                self.fleet.name(before);
                self.remove_app(new, turn);
            }
        }
    }

    pub(super) fn roll_back(&mut self, old: Rollback, turn: &mut Turn<'_>) {
        self.shared = old.shared;
        // First the names, so that who waits for a new row waits for the old one.
        self.fleet.restore_names(old.names);
        for app in old.added_apps {
            self.remove_app(app, turn);
        }
        for pool in old.added_pools {
            self.remove_pool(pool, "the reload that added its pool failed", turn);
        }
        for (app, config, share) in old.apps {
            self.dispatch.set_app(app, config.queue);
            if let Some(row) = self.fleet.app_mut(app) {
                (row.config, row.share, row.leaving) = (config, share, false);
            }
        }
        for (pool, config, seats) in old.pools {
            let Some(row) = self.fleet.pool_mut(pool) else { continue };
            row.config = config;
            for (seat, apps) in row.seats.iter_mut().zip(seats) {
                seat.apps = apps;
            }
        }
    }
}
