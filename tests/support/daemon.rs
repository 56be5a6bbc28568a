//! A daemon of one test: its own directory, its own socket, gone with the test.

use std::{
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use dirtyd_client::{
    Args, Client, Error, Value,
    proto::v1::{StatusRequest, StatusResponse, WorkerState, admin_client::AdminClient},
};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use super::{
    LIMIT, Output, eventually,
    paths::{python, python_path},
    process,
};

/// A running `dirtyd serve`. Its directory is the working directory of its
/// workers and on their import path.
pub struct Daemon {
    dir: TempDir,
    flags: &'static [&'static str],
    child: Child,
    client: Client,
    /// One for all questions, so that they share one connection.
    channel: Channel,
    ended: bool,
}

impl Daemon {
    /// Starts one with this configuration, and waits until every app is served
    /// by every worker that should have it.
    pub async fn start(config: &str) -> Self {
        let daemon = Self::launch(config).await;
        daemon.ready().await;
        daemon
    }

    /// Starts one and waits only until it answers.
    pub async fn launch(config: &str) -> Self {
        Self::launch_with(config, &[]).await
    }

    /// Like [`launch`](Self::launch), with files in its directory.
    pub async fn launch_with(config: &str, files: &[(&str, &str)]) -> Self {
        let mut daemon = Self::begin(config, files);
        daemon.answers().await;
        daemon
    }

    async fn answers(&mut self) {
        eventually(LIMIT, "the daemon answers", async || {
            let early = self.child.try_wait().expect("a child of ours");
            assert!(early.is_none(), "the daemon ended: {}", self.log());
            self.try_status().await
        })
        .await;
    }

    /// Starts one and waits for nothing.
    pub fn begin(config: &str, files: &[(&str, &str)]) -> Self {
        Self::begin_with(&[], config, files)
    }

    /// Starts one with further flags of `serve`, and waits for nothing.
    pub fn begin_with(
        flags: &'static [&'static str],
        config: &str,
        files: &[(&str, &str)],
    ) -> Self {
        let dir = TempDir::with_prefix("dirtyd-").expect("temporary directory");
        for (name, text) in files.iter().chain(&[("dirtyd.toml", config)]) {
            fs::write(dir.path().join(name), text).expect("file");
        }
        let child = serve(dir.path(), flags);
        let client = Client::connect(dir.path().join("d.sock"));
        let channel = client.channel();
        // A call that never ends must not hang the whole suite: it fails when
        // its daemon is gone. The runtime of the test ends this task.
        let mark = mark(dir.path());
        tokio::spawn(async move {
            tokio::time::sleep(LIMIT * 5).await;
            process::kill_all(&mark);
        });
        Self { dir, flags, child, client, channel, ended: false }
    }

    /// Starts it once more in the same directory, after it has
    /// [`ended`](Self::ended), and waits until it answers.
    pub async fn restart(&mut self) {
        assert!(self.ended, "one at a time");
        self.child = serve(self.dir.path(), self.flags);
        self.ended = false;
        self.answers().await;
    }

    /// Waits until every app is served by every worker that should have it.
    pub async fn ready(&self) {
        self.until("all apps are served", |status| {
            status.workers.iter().all(|worker| worker.state() == WorkerState::Ready)
                && (status.apps.iter())
                    .all(|app| app.ready_workers > 0 && app.ready_workers == app.allocated_workers)
        })
        .await;
    }

    /// Waits until `status` is as wanted.
    pub async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&StatusResponse) -> bool,
    ) -> StatusResponse {
        eventually(LIMIT, what, async || Some(self.status().await).filter(&wanted)).await
    }

    /// The status.
    pub async fn status(&self) -> StatusResponse {
        self.try_status().await.expect("the daemon answers")
    }

    async fn try_status(&self) -> Option<StatusResponse> {
        self.admin().status(StatusRequest {}).await.ok().map(tonic::Response::into_inner)
    }

    /// A client on the connection of the test.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client on a connection of its own.
    pub fn connect(&self) -> Client {
        Client::connect(self.socket())
    }

    /// Starts a call of `lab:Lab` beside the test.
    pub fn calling(
        &self,
        action: &'static str,
        args: impl Into<Args>,
    ) -> JoinHandle<Result<Value, Error>> {
        let (client, args) = (self.client(), args.into());
        tokio::spawn(async move { client.execute("lab:Lab", action, args).await })
    }

    /// The stock client of the service Admin.
    pub fn admin(&self) -> AdminClient<Channel> {
        AdminClient::new(self.channel())
    }

    /// The channel of all questions of the test.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.path("d.sock")
    }

    /// A file of its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a file, for which an action waits.
    pub fn touch(&self, name: &str) {
        fs::write(self.path(name), "").expect("file");
    }

    /// Waits for a file that an action makes.
    pub async fn seen(&self, name: &str) {
        eventually(LIMIT, name, async || self.path(name).exists().then_some(())).await;
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("log")).expect("log")).into_owned()
    }

    /// Waits until the log has a line with `text`.
    pub async fn logged(&self, text: &str) {
        eventually(LIMIT, &format!("the log says {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Waits for its end, which the test has asked for.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = eventually(LIMIT, "the daemon ends", async || {
            child.try_wait().expect("a child of ours")
        })
        .await;
        self.ended = true;
        status
    }

    /// Its processes: all that have the environment that only it was given.
    fn processes(&self) -> Vec<i32> {
        process::marked(&mark(self.dir.path()))
    }

    /// Ends them all, where the test has failed already.
    fn end(&mut self) {
        process::kill_all(&mark(self.dir.path()));
        let _ = self.child.wait();
    }

    /// Runs another subcommand of the binary against it.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        let run = tokio::task::spawn_blocking(move || command.output().expect("dirtyd runs"));
        run.await.expect("no panic").into()
    }

    /// The command for another subcommand.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.dir.path());
        command.args(arguments);
        command
    }
}

impl Daemon {
    /// Runs another subcommand as another user; needs root.
    pub async fn run_as(&self, uid: u32, arguments: &[&str]) -> Output {
        self.run_as_member(uid, uid, arguments).await
    }

    /// Runs another subcommand as another user, in a group.
    pub async fn run_as_member(&self, uid: u32, group: u32, arguments: &[&str]) -> Output {
        let (binary, mut command) = self.command_as(uid, group, arguments);
        let run = tokio::task::spawn_blocking(move || {
            let output = command.output().expect("dirtyd runs");
            drop(binary);
            output
        });
        run.await.expect("no panic").into()
    }

    /// A connection of another user, open until it is dropped; needs root.
    pub fn connect_as(&self, uid: u32) -> Watching {
        let (binary, mut command) = self.command_as(uid, uid, &["events"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        drop(binary);
        Watching(child.expect("dirtyd starts"))
    }

    /// The binary is run by its descriptor: another user may not reach its folder.
    fn command_as(&self, uid: u32, group: u32, arguments: &[&str]) -> (File, Command) {
        let binary = File::open(env!("CARGO_BIN_EXE_dirtyd")).expect("the binary");
        let mut command = Command::new(format!("/proc/self/fd/{}", binary.as_raw_fd()));
        command.current_dir("/").env_clear().env("DIRTYD_SOCKET", self.socket());
        command.args(arguments).uid(uid).gid(group);
        (binary, command)
    }
}

/// A client of another user that watches events.
pub struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }
}

/// The entry of the environment that only the processes of this daemon have.
fn mark(dir: &Path) -> String {
    format!("DIRTYD_SOCKET={}", dir.join("d.sock").display())
}

/// The binary, with files and imports for a daemon in `dir`.
fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirtyd"));
    // Those of the tests mean nothing to it, and it says so.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DIRTYD_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(dir)
        .env("DIRTYD_PYTHON", python())
        .env("DIRTYD_SOCKET", dir.join("d.sock"))
        .env("PYTHONPATH", python_path(dir))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Starts `dirtyd serve` in `dir`; what it logs comes after what is there.
fn serve(dir: &Path, flags: &[&str]) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("log")).expect("log");
    let mut command = command(dir);
    command.args(["serve", "--config", "dirtyd.toml"]).args(flags);
    command.stdout(Stdio::null()).stderr(log).spawn().expect("dirtyd starts")
}

impl Drop for Daemon {
    /// Every daemon must drain, and leave no process behind.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of the daemon\n{}", self.log());
            return self.end();
        }
        if !self.ended {
            self.signal(Signal::SIGTERM);
        }
        let ended = process::wait(&mut self.child, LIMIT);
        if ended.is_none() {
            self.end();
            panic!("TERM did not end the daemon: {}", self.log());
        }
        let gone = || self.processes().is_empty().then_some(());
        if process::until(Duration::from_secs(5), gone).is_none() {
            let left = self.processes();
            self.end();
            panic!("processes are left behind: {left:?}");
        }
    }
}
