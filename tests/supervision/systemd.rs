//! What systemd sees: notifications, and the socket that it passes.

use std::{
    fs,
    os::{
        fd::AsRawFd as _,
        unix::net::{UnixDatagram, UnixListener},
    },
    process::{Child, Command},
    time::Duration,
};

use dirtyd::client::{Client, args};
use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    sys::signal::Signal,
};
use tempfile::TempDir;

use crate::{
    family::LIFE,
    support::{LIMIT, eventually, python, python_path, repository, signal},
};

/// Something like systemd.
struct Systemd {
    dir: TempDir,
    notified: UnixDatagram,
    seen: String,
}

impl Systemd {
    fn new() -> Self {
        let dir = TempDir::with_prefix("dirtyd-").expect("directory");
        let notified = UnixDatagram::bind(dir.path().join("notify")).expect("socket");
        notified.set_read_timeout(Some(LIMIT)).expect("socket");
        let config = "socket = \"d.sock\"\n[[app]]\npath = \"life:Life\"\n";
        fs::write(dir.path().join("dirtyd.toml"), config).expect("file");
        Self { dir, notified, seen: String::new() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        // systemd knows the process id before exec; a shell does too.
        let exec = "LISTEN_PID=$$ exec \"$0\" serve --config dirtyd.toml";
        command
            .args(["-c", exec, env!("CARGO_BIN_EXE_dirtyd")])
            .current_dir(self.dir.path())
            .env("NOTIFY_SOCKET", self.dir.path().join("notify"))
            .env("WATCHDOG_USEC", "300000")
            .env("DIRTYD_PYTHON", python())
            .env("PYTHONPATH", python_path(&repository().join("tests/supervision/apps")))
            .stderr(fs::File::create(self.dir.path().join("log")).expect("log"));
        command
    }

    /// Waits until it was told `line`.
    fn told(&mut self, line: &str) {
        let mut buffer = [0; 1024];
        while !self.seen.lines().any(|seen| seen.starts_with(line)) {
            let read = self.notified.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("not told {line}: {error}; told {}; log {}", self.seen, self.log())
            });
            self.seen += std::str::from_utf8(&buffer[..read]).expect("text");
        }
        self.seen.clear();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

async fn end(mut child: Child) {
    signal(child.id() as i32, Signal::SIGTERM);
    eventually(LIMIT, "it ends", async || child.try_wait().expect("a child")).await;
}

#[tokio::test]
async fn it_is_told_of_each_step() {
    let mut systemd = Systemd::new();
    let child = systemd.command().spawn().expect("starts");
    systemd.told("READY=1");
    systemd.told("WATCHDOG=1");
    systemd.told("WATCHDOG=1");
    signal(child.id() as i32, Signal::SIGHUP);
    systemd.told("MONOTONIC_USEC=");
    systemd.told("READY=1");
    signal(child.id() as i32, Signal::SIGUSR2);
    systemd.told("MAINPID=");
    let new = fs::read_to_string(systemd.dir.path().join("dirtyd.2.pid")).expect("it is named");
    end(child).await;
    systemd.told("READY=1");
    signal(new.trim().parse().expect("a pid"), Signal::SIGTERM);
    systemd.told("STOPPING=1");
    eventually(LIMIT, "it is gone", async || {
        (!crate::family::is_alive(new.trim().parse().expect("a pid"))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn its_socket_is_used_and_left() {
    let mut systemd = Systemd::new();
    let path = systemd.dir.path().join("passed.sock");
    let listener = UnixListener::bind(&path).expect("socket");
    // The number 3 is what the protocol says; the shell moves it there.
    let mut command = Command::new("sh");
    let fd = listener.as_raw_fd();
    fcntl(&listener, FcntlArg::F_SETFD(FdFlag::empty())).expect("inheritable");
    let exec = format!("LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve --config dirtyd.toml 3<&{fd}");
    let template = systemd.command();
    command.args(["-c", &exec, env!("CARGO_BIN_EXE_dirtyd")]).current_dir(systemd.dir.path());
    for (name, value) in template.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.stderr(fs::File::create(systemd.dir.path().join("log")).expect("log"));
    let child = command.spawn().expect("starts");
    fcntl(&listener, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("ours again");
    systemd.told("READY=1");
    let client = Client::connect(&path).with_timeout(Duration::from_secs(20));
    client.execute(LIFE, "pid", args![]).await.expect("served on the passed socket");
    assert!(!systemd.dir.path().join("d.sock").exists());
    end(child).await;
    assert!(path.exists(), "it is systemd's");
}
