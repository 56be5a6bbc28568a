//! What was before a reload, for one that fails before it has replaced anything.

use std::{collections::HashMap, sync::Arc};

use super::{
    allocation::Share,
    ids::AppId,
    reload::Scope,
    tables::Group,
    task::{Pool, Settings},
};
use crate::config::{AppConfig, PoolConfig};

/// The tables as far as a reload changes them: those of the pools in its scope.
#[derive(Debug)]
pub struct Rollback {
    settings: Settings,
    app_ids: HashMap<String, AppId>,
    groups: Vec<(usize, Arc<PoolConfig>, Vec<Vec<AppId>>)>,
    apps: Vec<(AppId, AppConfig, Share)>,
    /// How many rows there were; what a reload adds comes after them.
    known: (usize, usize),
}

impl Pool {
    pub(super) fn rollback(&self, scope: &Scope) -> Rollback {
        let seats = |group: &Group| group.seats.iter().map(|seat| seat.apps.clone()).collect();
        let groups = (self.groups.iter().enumerate())
            .filter(|(_, group)| scope.has(&group.config.name))
            .map(|(index, group)| (index, Arc::clone(&group.config), seats(group)));
        let apps = (self.apps.iter().enumerate())
            .filter(|(_, app)| scope.has(&self.groups[app.group].config.name))
            .map(|(index, app)| (AppId(index), app.config.clone(), app.share));
        Rollback {
            settings: self.settings.clone(),
            app_ids: self.app_ids.clone(),
            groups: groups.collect(),
            apps: apps.collect(),
            known: (self.groups.len(), self.apps.len()),
        }
    }

    /// For a reload that has replaced something, but not what would have told
    /// the shares again: those that were known hold on.
    pub(super) fn keep_shares(&mut self, old: &Rollback) {
        for (app, _, share) in &old.apps {
            let row = &mut self.apps[app.0];
            if row.share == Share::Unknown {
                row.share = *share;
            }
        }
    }

    pub(super) fn roll_back(&mut self, old: Rollback) {
        self.settings = old.settings;
        let (groups, apps) = old.known;
        for app in (apps..self.apps.len()).map(AppId) {
            self.remove_app(app);
        }
        for group in groups..self.groups.len() {
            self.resize(group, 0, "the reload that added its pool failed");
            self.groups[group].removed = true;
        }
        for (app, config, share) in old.apps {
            self.scheduler.set_app(app, config.queue);
            let row = &mut self.apps[app.0];
            (row.config, row.share, row.leaving) = (config, share, false);
        }
        for (group, config, seats) in old.groups {
            let row = &mut self.groups[group];
            row.config = config;
            for (seat, apps) in row.seats.iter_mut().zip(seats) {
                seat.apps = apps;
            }
        }
        self.app_ids = old.app_ids;
    }
}
