//! The arbiter inside another program, `examples/rust/embedded.rs`: it serves,
//! its hooks run in the order of life, and it ends in order.

use std::{
    fs::{self, File},
    process::{Child, Command},
};

use dirtyd::{
    config::{Config, Raw},
    embed,
    hooks::Hooks,
};
use dirtyd_client::{Client, Error, args};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::{LIMIT, eventually, example, process, python, python_path, signal};

/// The program, in a directory of its own; ended with the test.
struct Program {
    dir: TempDir,
    child: Child,
    client: Client,
}

impl Program {
    fn start(config: &str) -> Self {
        let dir = TempDir::with_prefix("dirtyd-").expect("directory");
        let file = |name| File::create(dir.path().join(name)).expect("file");
        let config = format!("socket = \"d.sock\"\npython = {:?}\n{config}", python());
        fs::write(dir.path().join("dirtyd.toml"), config).expect("file");
        let child = Command::new(example("embedded"))
            .arg("dirtyd.toml")
            .current_dir(dir.path())
            .env("PYTHONPATH", python_path(dir.path()))
            .stdout(file("told"))
            .stderr(file("log"))
            .spawn()
            .expect("it starts");
        let client = Client::connect(dir.path().join("d.sock"));
        Self { dir, child, client }
    }

    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// What its hooks have told so far.
    fn told(&self) -> Vec<String> {
        let told = fs::read_to_string(self.dir.path().join("told")).expect("file");
        told.lines().map(str::to_owned).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("file")
    }

    /// Waits until its hooks have written this number of lines.
    async fn tells(&self, lines: usize) -> Vec<String> {
        let told = async || Some(self.told()).filter(|told| told.len() >= lines);
        eventually(LIMIT, &format!("{lines} lines are told"), told).await
    }

    /// The process that serves, once one does.
    async fn worker(&self) -> i32 {
        let pid = eventually(LIMIT, "it serves", async || {
            self.client.execute("lab:Lab", "pid", args![]).await.ok()?.as_int()
        });
        pid.await as i32
    }

    async fn ended(&mut self) -> bool {
        let child = &mut self.child;
        eventually(LIMIT, "it ends", async || child.try_wait().expect("a child")).await.success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Its workers die with it, by the kernel's hand.
        let _ = self.child.kill();
        let _ = process::wait(&mut self.child, LIMIT);
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_hooks_run_in_the_order_of_life_until_it_has_drained() {
    let mut program = Program::start("[[app]]\npath = \"lab:Lab\"\n");
    let first = program.worker().await;
    signal(first, Signal::SIGKILL);
    program.tells(4).await;
    let second = program.worker().await;
    assert_ne!(first, second);
    signal(program.pid(), Signal::SIGTERM);
    assert!(program.ended().await, "a drain is no failure");
    let socket = program.dir.path().join("d.sock");
    assert!(!socket.exists());
    let expected = [
        format!("starting {} on {}", program.pid(), socket.display()),
        format!("worker 1 forked as {first}, 1 live"),
        "worker 1 exited, 0 live".to_owned(),
        format!("worker 2 forked as {second}, 1 live"),
        "worker 2 exited, 0 live".to_owned(),
        "served".to_owned(),
    ];
    assert_eq!(program.told(), expected, "the last exit too, before it returns");
}

#[tokio::test(flavor = "multi_thread")]
async fn term_finishes_what_runs() {
    let mut program = Program::start("[[app]]\npath = \"lab:Lab\"\n");
    program.worker().await;
    let running = tokio::spawn({
        let client = program.client.clone();
        async move { client.execute("lab:Lab", "hold", args!["let_go"]).await }
    });
    let held = program.dir.path().join("let_go.started");
    eventually(LIMIT, "it runs", async || held.exists().then_some(())).await;
    signal(program.pid(), Signal::SIGTERM);
    let drains = async || program.log().contains("draining for up to").then_some(());
    eventually(LIMIT, "it drains", drains).await;
    assert!(!running.is_finished(), "it has its time");
    fs::write(program.dir.path().join("let_go"), "").expect("file");
    running.await.expect("no panic").expect("it was finished");
    assert!(program.ended().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_an_error_of_serve() {
    for (config, why) in [("nonsense = 1\n", "nonsense"), ("", "app")] {
        let mut program = Program::start(config);
        assert!(!program.ended().await);
        assert!(program.log().contains(why), "{}", program.log());
        assert!(program.told().is_empty(), "no hook has run");
    }
}

/// A host that calls it twice, has a log of its own, and keeps its signals and its
/// file mode mask.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_stays_the_hosts() {
    let dir = TempDir::with_prefix("dirtyd-").expect("directory");
    let socket = dir.path().join("d.sock");
    let text = format!("socket = {socket:?}\nworkers = 0\n[[app]]\npath = \"lab:Lab\"\n");
    let file = dir.path().join("dirtyd.toml");
    fs::write(&file, text).expect("file");
    let before = mask_and_signals();
    for _ in 0..2 {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let file = file.clone();
        let served = tokio::task::spawn_blocking(move || {
            let load = move || Config::from_raw(Raw::from_file(&file)?);
            embed::serve(load, Nothing, async { drop(stopped.await) })
        });
        let client = Client::connect(&socket);
        let answers = async || match client.execute("no:App", "any", args![]).await {
            Err(Error::Connection { .. }) => None,
            _ => Some(()),
        };
        eventually(LIMIT, "it answers", answers).await;
        assert_eq!(mask_and_signals(), before);
        // Another instance has taken the place of its socket by then.
        fs::remove_file(&socket).expect("removed");
        let _other = std::os::unix::net::UnixListener::bind(&socket).expect("bound");
        stop.send(()).expect("it runs");
        served.await.expect("no panic").expect("it ends in order");
        assert!(socket.exists(), "the other's socket stays");
        fs::remove_file(&socket).expect("removed");
    }
}

/// The file mode mask of this process, and the signals that it handles.
fn mask_and_signals() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let wanted = |line: &&str| line.starts_with("Umask:") || line.starts_with("SigCgt:");
    status.lines().filter(wanted).map(str::to_owned).collect()
}

struct Nothing;

impl Hooks for Nothing {}
