//! What the lists show: filtered and sorted.

use std::collections::BTreeMap;

use dirtyd_client::proto::v1::{
    AppStatus, CallState, CallStatus, StatusResponse, WatchEventsResponse, WorkerState,
    WorkerStatus,
};

use super::{Model, Place};
use crate::cli::shown::{call_name, duration};

/// A worker, with what it does.
#[derive(Debug, Clone, Copy)]
pub struct Busy<'a> {
    /// The worker.
    pub worker: &'a WorkerStatus,
    /// The call that has run longest in it.
    pub call: Option<&'a CallStatus>,
    /// The number of its other calls.
    pub others: usize,
}

/// A pool, as its workers are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The number of its workers.
    pub workers: usize,
    /// The number of those that take calls.
    pub ready: usize,
    /// The number of its slots, of workers that are ready.
    pub slots: u32,
    /// The number of those that are taken.
    pub taken: u32,
}

/// The pools that have apps or workers, by name.
pub fn pools(status: &StatusResponse) -> BTreeMap<&str, Pool> {
    let mut pools = BTreeMap::<&str, Pool>::new();
    for app in &status.apps {
        pools.entry(&app.pool).or_default();
    }
    for worker in &status.workers {
        let pool = pools.entry(&worker.pool).or_default();
        pool.workers += 1;
        if worker.state() == WorkerState::Ready {
            pool.ready += 1;
            pool.slots += worker.threads;
            pool.taken += worker.in_flight;
        }
    }
    pools
}

/// A worker with what it does.
fn busy<'a>(worker: &'a WorkerStatus, calls: Option<&Vec<&'a CallStatus>>) -> Busy<'a> {
    let calls = calls.map_or(&[][..], Vec::as_slice);
    let call = calls.iter().copied().max_by_key(|call| duration(call.running_for));
    Busy { worker, call, others: calls.len().saturating_sub(1) }
}

impl Model {
    fn status(&self) -> Option<&StatusResponse> {
        self.picture.as_ref().map(|picture| &picture.status)
    }

    /// All calls that are known.
    fn all_calls(&self) -> &[CallStatus] {
        let calls = self.picture.as_ref().and_then(|picture| picture.calls.as_ref().ok());
        calls.map_or(&[], Vec::as_slice)
    }

    /// Whether one of the texts has what is filtered for.
    fn passes(&self, texts: &[&str]) -> bool {
        let wanted = self.filter.to_lowercase();
        wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }

    /// The apps that are shown.
    pub fn apps(&self) -> Vec<&AppStatus> {
        let apps = self.status().into_iter().flat_map(|status| &status.apps);
        let mut apps: Vec<_> = apps.filter(|app| self.passes(&[&app.app, &app.pool])).collect();
        self.orders.apps.sort(&mut apps, &self.history);
        apps
    }

    /// The workers that are shown.
    pub fn workers(&self) -> Vec<Busy<'_>> {
        let mut calls = BTreeMap::<u64, Vec<&CallStatus>>::new();
        for call in self.all_calls() {
            calls.entry(call.worker_id).or_default().push(call);
        }
        let workers = self.status().into_iter().flat_map(|status| &status.workers);
        let rows = workers.map(|worker| busy(worker, calls.get(&worker.id)));
        let mut rows: Vec<_> = rows.filter(|row| self.shows_worker(row)).collect();
        self.orders.workers.sort(&mut rows, &self.history);
        rows
    }

    fn shows_worker(&self, row: &Busy<'_>) -> bool {
        let worker = row.worker;
        let call = row.call.map(call_name).unwrap_or_default();
        let (id, pid) = (worker.id.to_string(), worker.pid.to_string());
        self.passes(&[&id, &pid, &worker.pool, &call])
    }

    /// The worker that is looked at, if it is there.
    pub fn worker_of_place(&self) -> Option<&WorkerStatus> {
        let Place::Worker(id, _) = self.place else { return None };
        self.status()?.workers.iter().find(|worker| worker.id == id)
    }

    /// The app that is looked at, if it is there.
    pub fn app_of_place(&self) -> Option<&AppStatus> {
        let Place::App(path) = &self.place else { return None };
        self.status()?.apps.iter().find(|app| app.app == *path)
    }

    /// The calls of the app or the worker that is looked at; none in the overview.
    pub fn calls(&self) -> Vec<&CallStatus> {
        let is_here = |call: &&CallStatus| match &self.place {
            Place::Overview => false,
            Place::App(app) => call.app == *app,
            Place::Worker(id, _) => call.worker_id == *id,
        };
        let calls = self.all_calls().iter().filter(is_here);
        let mut calls: Vec<_> = calls.filter(|call| self.shows_call(call)).collect();
        self.orders.calls.sort(&mut calls);
        calls
    }

    fn shows_call(&self, call: &CallStatus) -> bool {
        let id = call.id.to_string();
        self.passes(&[&id, &call.action, &call.peer, &call.request_id])
    }

    /// The calls of a worker that can be cancelled.
    pub fn cancellable(&self, worker: u64) -> Vec<&CallStatus> {
        let is_of =
            |call: &&CallStatus| call.worker_id == worker && call.state() != CallState::Abandoned;
        self.all_calls().iter().filter(is_of).collect()
    }

    /// The events that are shown, the latest at the end.
    pub fn happened(&self) -> Vec<&WatchEventsResponse> {
        self.events.iter().filter(|event| self.is_shown(event)).collect()
    }

    /// Whether an event passes the filter.
    pub(super) fn is_shown(&self, event: &WatchEventsResponse) -> bool {
        self.passes(&[&event.message, &event.app, &event.pool, event.kind().as_str_name()])
    }
}
