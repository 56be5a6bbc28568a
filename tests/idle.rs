//! Who waits with open eyes closes them: with nothing to do, arbiter and workers
//! sleep.

use std::fs;

use dirtyd_client::args;

use crate::support::{Daemon, LIMIT, eventually, example, pids};

/// As proc(5) says it: `S` sleeps, `R` runs.
fn state(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    let fields = stat.rsplit_once(") ").expect("behind its name").1;
    fields.chars().next().expect("a state")
}

async fn sleeps(what: &str, pid: i32) {
    let mut asleep = 0;
    eventually(LIMIT, &format!("{what} sleeps"), async || {
        asleep = if state(pid) == 'S' { asleep + 1 } else { 0 };
        (asleep == 100).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_many_small_calls_everybody_sleeps() {
    let worker = example("rust-worker");
    let daemon = Daemon::start(&format!(
        "busy_wait = \"10ms\"\n[[app]]\npath = \"lab:Lab\"\n[[pool]]\nname = \"rust\"\n\
         command = [{worker:?}]\napp = [{{ path = \"Mandelbrot\" }}]"
    ))
    .await;
    for number in 0..100 {
        daemon.client().execute("lab:Lab", "echo", args![number]).await.expect("Python");
        daemon.client().execute("Mandelbrot", "render", args![4, 4]).await.expect("Rust");
    }
    let status = daemon.status().await;
    for worker in pids(&status) {
        sleeps("a worker", worker).await;
    }
    sleeps("the arbiter", status.arbiter.expect("arbiter").pid).await;
}
