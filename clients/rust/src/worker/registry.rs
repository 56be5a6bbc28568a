//! The apps of a worker, by the names that the configuration uses.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{
    AppError, DirtyApp,
    app::{AnyApp, BoxFuture},
};

type Load = fn() -> BoxFuture<'static, Result<Box<dyn AnyApp>, AppError>>;
type Hook = Box<dyn Fn(&Worker) + Send + Sync>;

/// What a `dirty_worker_init` hook gets to know.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The arbiter's number for this worker.
    pub id: u64,
    /// Its process id.
    pub pid: u32,
    /// Its pool.
    pub pool: String,
    /// How many calls it runs at once.
    pub threads: u32,
}

/// The apps that a worker offers.
#[derive(Default)]
pub struct Apps {
    apps: BTreeMap<String, Entry>,
    hooks: BTreeMap<String, Hook>,
}

struct Entry {
    workers: Option<u32>,
    load: Load,
    loaded: OnceLock<Box<dyn AnyApp>>,
}

impl Apps {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These, and the app `A` under the name that `[[pool]]` gives in `path`.
    #[must_use]
    pub fn app<A: DirtyApp>(mut self, name: &str) -> Self {
        let load: Load = || Box::pin(async { Ok(Box::new(A::init().await?) as Box<dyn AnyApp>) });
        let entry = Entry { workers: A::WORKERS, load, loaded: OnceLock::new() };
        self.apps.insert(name.to_owned(), entry);
        self
    }

    /// These, and a function that the configuration may name in
    /// `dirty_worker_init`. It runs once, before the first app is loaded.
    #[must_use]
    pub fn hook(mut self, name: &str, hook: impl Fn(&Worker) + Send + Sync + 'static) -> Self {
        self.hooks.insert(name.to_owned(), Box::new(hook));
        self
    }

    /// The associated constant `WORKERS` of an app.
    pub(super) fn workers(&self, name: &str) -> Result<Option<u32>, AppError> {
        self.entry(name).map(|entry| entry.workers)
    }

    /// Makes an app, once; one that is there stays.
    pub(super) async fn load(&self, name: &str) -> Result<(), AppError> {
        let entry = self.entry(name)?;
        if entry.loaded.get().is_none() {
            let app = (entry.load)().await?;
            // The arbiter loads one app at a time, so nobody was faster.
            drop(entry.loaded.set(app));
        }
        Ok(())
    }

    /// An app that is loaded.
    pub(super) fn get(&self, name: &str) -> Option<&dyn AnyApp> {
        Some(self.apps.get(name)?.loaded.get()?.as_ref())
    }

    pub(super) fn run_hook(&self, name: &str, worker: &Worker) {
        match self.hooks.get(name) {
            Some(hook) => hook(worker),
            None => eprintln!("dirtyd worker: this program has no hook `{name}`"),
        }
    }

    /// Closes what is loaded.
    pub(super) async fn close(&self) {
        for app in self.apps.values().filter_map(|entry| entry.loaded.get()) {
            app.close().await;
        }
    }

    fn entry(&self, name: &str) -> Result<&Entry, AppError> {
        self.apps.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.apps.keys().map(String::as_str).collect();
            let message = format!("no app `{name}` in this program; it has: {}", names.join(", "));
            AppError::new("AppNotFound", message)
        })
    }
}

impl std::fmt::Debug for Apps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.apps.keys()).finish()
    }
}
