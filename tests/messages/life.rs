//! The log of a life, step by step.

use std::{collections::BTreeSet, fs};

use dirtyd_client::args;
use nix::sys::signal::Signal;

use super::{golden_by, normal::normal};
use crate::support::{Daemon, LIMIT, eventually, pids, signal};

const APP: &str = include_str!("app.py");
const CONFIG: &str = r#"
workers = 1
timeout = "2s"
kill_grace = "200ms"
graceful_timeout = "5s"
restart_window = "3s"
[[app]]
path = "app:Demo"
"#;

/// A daemon, and what it has logged in each step.
struct Life {
    daemon: Daemon,
    /// How much of the log belongs to earlier steps, in bytes.
    told: usize,
    text: String,
}

impl Life {
    /// Waits until the log has all of `words` since the last step, and tells it.
    async fn step(&mut self, title: &str, words: &[&str]) {
        let new = async || {
            let log = self.daemon.log();
            let new = &log[self.told..];
            let is_whole = new.ends_with('\n') && words.iter().all(|word| new.contains(word));
            is_whole.then(|| new.to_owned())
        };
        let new = eventually(LIMIT, &format!("{title}: the log has {words:?}"), new).await;
        self.told += new.len();
        let dir = self.daemon.path("");
        let dir = dir.to_string_lossy();
        let lines = normal(&new, dir.trim_end_matches('/'));
        self.text += &format!("# {title}\n{lines}\n");
    }

    async fn run(&self, arguments: &[&str]) {
        self.daemon.run(arguments).await;
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.daemon.path(name), text).expect("a file");
    }
}

/// The lines of each step in an order that does not depend on which of several processes
/// writes first. Whether workers are there yet when their arbiter dies is chance.
fn by_steps(text: &str) -> Vec<String> {
    let of_step = |step: &str| {
        let (title, lines) = step.split_once('\n').unwrap_or((step, ""));
        let lines = lines.lines().filter(|line| !line.contains("was left behind by"));
        let lines: BTreeSet<_> = lines.map(|line| format!("{title}: {line}")).collect();
        lines
    };
    text.split("# ").skip(1).flat_map(of_step).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_life_was_read() {
    let daemon = Daemon::launch_with(CONFIG, &[("app.py", APP)]).await;
    daemon.ready().await;
    let mut life = Life { daemon, told: 0, text: String::new() };
    life.step("it starts", &["is ready"]).await;

    life.run(&["call", "app:Demo", "swallow"]).await;
    life.step(
        "an action does not end at its timeout, nor when it is interrupted",
        &["WorkerDied", "is ready"],
    )
    .await;

    let client = life.daemon.client();
    client.execute("app:Demo", "die", args![]).await.expect_err("it dies");
    life.step("a worker dies of itself", &["WorkerDied", "is ready"]).await;

    life.run(&["scale", "2"]).await;
    life.step("the pool grows", &["worker 4", "is ready"]).await;
    life.run(&["scale", "1", "--wait"]).await;
    life.step("the pool shrinks", &["exited with code 0"]).await;

    life.run(&["reload", "--wait"]).await;
    life.step("a reload", &["reload finished", "exited with code 0"]).await;
    life.write("sick", "");
    life.run(&["reload", "--wait"]).await;
    life.step("a reload to code that does not load", &["abandoned", "WorkerDied"]).await;
    fs::remove_file(life.daemon.path("sick")).expect("it is there");

    life.write("dirtyd.toml", &CONFIG.replace("timeout", "timout"));
    life.daemon.signal(Signal::SIGHUP);
    life.step(
        "a reload of a configuration that is wrong",
        &["the dirty arbiter reloads", "nothing changed"],
    )
    .await;
    life.write("dirtyd.toml", &format!("max_connections = 500\n{CONFIG}"));
    life.daemon.signal(Signal::SIGHUP);
    life.step(
        "a reload of a key that needs an upgrade",
        &["the dirty arbiter reloads", "finished", "exited with"],
    )
    .await;

    life.write("sick", "");
    signal(pids(&life.daemon.status().await)[0], Signal::SIGKILL);
    life.step("a worker dies, and the next one does not load", &["with 0 of 1 app"]).await;
    fs::remove_file(life.daemon.path("sick")).expect("it is there");
    life.step("its database is back", &["served again"]).await;

    let arbiter = life.daemon.status().await.arbiter.expect("it").pid;
    signal(arbiter, Signal::SIGKILL);
    life.step("the dirty arbiter dies", &["started the dirty arbiter", "is ready"]).await;

    life.run(&["upgrade", "--wait"]).await;
    assert!(life.daemon.ended().await.success());
    life.step("an upgrade", &["takes over its name", "the main arbiter exits"]).await;

    let main = fs::read_to_string(life.daemon.path("dirtyd.pid")).expect("its name");
    let busy = life.daemon.connect();
    let busy = tokio::spawn(async move { busy.execute("app:Demo", "nap", args![0.3]).await });
    life.daemon.until("it runs", |status| status.workers[0].in_flight == 1).await;
    signal(main.trim().parse().expect("a pid"), Signal::SIGTERM);
    busy.await.expect("no panic").expect("it is finished");
    life.step("it is stopped", &["the main arbiter exits"]).await;
    golden_by("life.txt", &life.text, by_steps);
}
