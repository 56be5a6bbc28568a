//! The arbiter inside another program. The program's argument is a
//! configuration file, which it serves. It prints each step in the life of its
//! workers to stdout.

use std::{env, io, path::PathBuf};

use dirtyd::{
    config::{Config, Raw},
    embed,
    hooks::{ArbiterFacts, Hooks, WorkerFacts},
};

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).map_or_else(|| "dirtyd.toml".into(), PathBuf::from);
    // The log is this program's, and so are the signals.
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let load = move || Config::from_raw(Raw::from_file(&file)?);
    embed::serve(load, Teller { workers: 0 }, embed::terminated())?;
    println!("served");
    Ok(())
}

/// Prints each step, and counts the living workers.
struct Teller {
    workers: usize,
}

impl Hooks for Teller {
    fn on_dirty_starting(&mut self, arbiter: &ArbiterFacts) {
        println!("starting {} on {}", arbiter.pid, arbiter.socket.display());
    }

    fn dirty_post_fork(&mut self, _: &ArbiterFacts, worker: &WorkerFacts) {
        self.workers += 1;
        println!("worker {} forked as {}, {} live", worker.id, worker.pid, self.workers);
    }

    fn dirty_worker_exit(&mut self, _: &ArbiterFacts, worker: &WorkerFacts) {
        self.workers -= 1;
        println!("worker {} exited, {} live", worker.id, self.workers);
    }
}
