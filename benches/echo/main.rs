//! `cargo bench --bench echo`: what a call of 100 bytes takes through `dirtyd
//! serve` and a Python worker, next to bare round trips over a socketpair in the
//! same rounds. Two round trips are the floor: caller to arbiter to worker.
//!
//! `DIRTYD_PYTHON` names a Python with protobuf.

#![allow(dead_code, reason = "it shares the parts of the load generator and uses some")]

#[path = "../load/floor.rs"]
mod floor;
#[path = "../load/http.rs"]
mod http;
#[path = "../load/measure.rs"]
mod measure;
#[path = "../load/replay.rs"]
mod replay;
#[path = "../load/target.rs"]
mod target;

use std::{
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use dirtyd_client::Value;
use measure::Limit;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value as Json;
use target::{Ask, Target};

const ROUNDS: usize = 5;
const SIZE: usize = 100;
const COUNTED: Duration = Duration::from_millis(500);
const CALLERS: [usize; 2] = [1, 64];

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let [_, pong, fd, size] = args.as_slice()
        && pong == "pong"
    {
        return floor::pong(fd.parse()?, size.parse()?);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("s");
    let daemon = Daemon::start(root, &socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let python = [&daemon.python, root.join("benches/peers/pong.py").to_str().unwrap_or_default()]
        .map(str::to_owned);
    let (mut native, mut foreign, mut calls) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
    for _ in 0..ROUNDS {
        native.push(floor::ping(SIZE, COUNTED, &[])?);
        foreign.push(floor::ping(SIZE, COUNTED, &python)?);
        for (callers, seen) in CALLERS.iter().zip(&mut calls) {
            seen.push(runtime.block_on(echo(&socket, *callers))?);
        }
    }
    let floor = 2.0 * median(&native, "p50_us");
    println!("{:<28}{:>10}{:>10}{:>12}{:>12}", "", "p50 µs", "p99 µs", "calls/s", "to floor");
    for (name, rounds) in [
        ("socketpair, native", &native),
        ("socketpair, Python", &foreign),
        ("dirtyd, 1 caller", &calls[0]),
        ("dirtyd, 64 callers", &calls[1]),
    ] {
        let [p50, p99] = ["p50_us", "p99_us"].map(|key| median(rounds, key));
        let rate = median(rounds, "per_second");
        // The time between two results: with many callers it is less than a call takes.
        let ratio = 1e6 / rate / floor;
        println!("{name:<28}{p50:>10.1}{p99:>10.1}{rate:>12.0}{ratio:>11.2}x");
    }
    Ok(())
}

/// One measurement of a number of callers over one connection.
async fn echo(socket: &Path, callers: usize) -> anyhow::Result<Json> {
    let args = vec![Value::Bytes(vec![0; SIZE].into())];
    let ask = Ask { app: "bench:Bench".to_owned(), action: "echo".to_owned(), args };
    let target = Target::Dirtyd(socket.to_owned());
    let limit = Limit::Time { warmup: Duration::from_millis(100), counted: COUNTED };
    let seen = measure::calls(target.callers(callers, 1, ask).await?, limit).await;
    anyhow::ensure!(seen["failures"] == 0, "calls failed: {seen}");
    Ok(seen)
}

fn median(rounds: &[Json], key: &str) -> f64 {
    let mut values: Vec<f64> = rounds.iter().filter_map(|round| round[key].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

struct Daemon {
    child: Child,
    python: String,
}

impl Daemon {
    fn start(root: &Path, socket: &Path) -> anyhow::Result<Self> {
        let python = std::env::var("DIRTYD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let path = ["benches/peers", "clients/python/src"].map(|part| root.join(part));
        let child = Command::new(env!("CARGO_BIN_EXE_dirtyd"))
            .args(["serve", "--single", "--app", "bench:Bench", "--workers", "4", "--socket"])
            .arg(socket)
            .env("PYTHONPATH", std::env::join_paths(path)?)
            .env("DIRTYD_PYTHON", &python)
            .env("DIRTYD_LOG_FILTER", "warn")
            .spawn()?;
        let daemon = Self { child, python };
        while !socket.exists() {
            // The first calls wait in the queue until the workers are there.
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
