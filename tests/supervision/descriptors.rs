//! Callers cannot take the descriptors that workers are started with.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use dirtyd_client::{Client, args};
use nix::sys::signal::Signal;
use tokio::net::UnixStream;

use crate::{
    family::Family,
    support::{LIMIT, eventually, process::wait, signal},
};

const APP: &str = "import os, resource
class App:
    def __call__(self, action):
        return [os.getpid(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]
";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn more_connections_than_the_soft_limit_leave_room_for_workers() {
    let config = "[[app]]\npath = \"app:App\"\n";
    let family = Family::launch(config, &[("app.py", APP)]).await;
    let socket = family.path("other.sock");
    // Another daemon in the same place, from a shell with a limit.
    let script = "ulimit -S -n 96; exec \"$0\" \"$@\"";
    let child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_dirtyd"), "serve", "--config", "dirtyd.toml"])
        .args(["--proc-name", "other"])
        .current_dir(family.path("."))
        .env("DIRTYD_SOCKET", &socket)
        .env("DIRTYD_PYTHON", crate::support::python())
        .stdout(Stdio::null())
        .stderr(fs::File::create(family.path("other.log")).expect("log"))
        .spawn();
    let mut other = Other(child.expect("sh starts"));
    let client = Client::connect(&socket);
    let asked = async || {
        let answer = client.execute("app:App", "ask", args![]).await.ok()?;
        let answer = answer.as_list()?.iter().filter_map(dirtyd_client::Value::as_int);
        <[i64; 2]>::try_from(answer.collect::<Vec<_>>()).ok()
    };
    let [pid, limit] = eventually(LIMIT, "it serves", asked).await;
    assert_eq!(limit, 96, "a worker has the limit that the daemon was started with");
    let mut connections = Vec::new();
    for _ in 0..200 {
        connections.push(UnixStream::connect(&socket).await.expect("it listens"));
    }
    signal(pid as i32, Signal::SIGKILL);
    eventually(LIMIT, "the next one serves", async || {
        asked().await.filter(|[next, _]| *next != pid)
    })
    .await;
    other.end();
}

/// It ends with the test, whatever becomes of that.
struct Other(Child);

impl Other {
    fn end(&mut self) {
        signal(self.0.id() as i32, Signal::SIGTERM);
        wait(&mut self.0, LIMIT).expect("it ends");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            self.end();
        }
    }
}
