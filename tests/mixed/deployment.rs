//! The daemon with its three pools, and the levers of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

use dirtyd_client::proto::v1::{ScaleRequest, StatusResponse, WorkerState};

use crate::support::{Daemon, example, repository};

/// The pools, by name: Python, Rust and Node.
pub const POOLS: [&str; 3] = ["default", "rust", "node"];
/// How many workers each has at first.
const WORKERS: usize = 2;

/// Process ids by pool.
pub type Pids = BTreeMap<String, BTreeSet<i32>>;

/// A daemon with all pools.
pub struct Deployment(Daemon);

impl Deployment {
    /// Starts it, and waits until all pools serve.
    pub async fn start() -> Self {
        let (rust, node) =
            (example("rust-worker"), repository().join("clients/node/dist/worker.js"));
        assert!(node.exists(), "{} is missing: run `make test-workers`", node.display());
        let apps = repository().join("tests/mixed/apps");
        let config = format!(
            "workers = {WORKERS}\n\
             [[app]]\npath = \"lab:Lab\"\n\
             [[pool]]\nname = \"rust\"\nworkers = {WORKERS}\nthreads = 2\ncommand = [{rust:?}]\n\
             app = [{{ path = \"Mandelbrot\" }}]\n\
             [[pool]]\nname = \"node\"\nworkers = {WORKERS}\nthreads = 2\nchdir = {apps:?}\n\
             command = [\"node\", {node:?}]\napp = [{{ path = \"echo:Echo\" }}]\n"
        );
        Self(Daemon::start(&config).await)
    }

    /// The workers of every pool, those that are leaving included.
    pub async fn pids(&self) -> Pids {
        pids(&self.status().await)
    }

    /// Scales a pool, and waits until it has the new size.
    pub async fn scale(&self, pool: &str, workers: usize) -> Pids {
        let request = ScaleRequest { pool: pool.to_owned(), workers: workers as u32 };
        self.admin().scale(request).await.expect("it can have that size");
        self.settled(pool, workers).await
    }

    /// Reloads a pool, and waits until the old workers have left.
    pub async fn reload(&self, pool: &str) -> Pids {
        let output = self.run(&["reload", "--pool", pool]).await;
        let said = format!("reloaded: {WORKERS} workers replaced\n");
        assert!(output.code == Some(0) && output.stdout.starts_with(&said), "{pool}: {output:?}");
        self.settled(pool, WORKERS).await
    }

    /// Waits until a pool has this number of workers, all ready.
    async fn settled(&self, pool: &str, workers: usize) -> Pids {
        let settled = |status: &StatusResponse| {
            let of_pool = || status.workers.iter().filter(|worker| worker.pool == pool);
            of_pool().count() == workers
                && of_pool().all(|worker| worker.state() == WorkerState::Ready)
        };
        pids(&self.until(&format!("{pool} has {workers} workers"), settled).await)
    }
}

impl Deref for Deployment {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

fn pids(status: &StatusResponse) -> Pids {
    let mut pids = Pids::new();
    for worker in &status.workers {
        pids.entry(worker.pool.clone()).or_default().insert(worker.pid);
    }
    pids
}
