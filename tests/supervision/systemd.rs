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

use dirtyd_client::{Client, args};
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
}

impl Systemd {
    fn new() -> Self {
        let dir = TempDir::with_prefix("dirtyd-").expect("directory");
        let notified = UnixDatagram::bind(dir.path().join("notify")).expect("socket");
        notified.set_read_timeout(Some(LIMIT)).expect("socket");
        let config = "socket = \"d.sock\"\n[[app]]\npath = \"life:Life\"\n";
        fs::write(dir.path().join("dirtyd.toml"), config).expect("file");
        Self { dir, notified }
    }

    /// Starts it, with `listener` as the socket that systemd passes.
    fn start(&self, listener: Option<&UnixListener>) -> Child {
        // systemd knows the process id before exec; so does a small program that
        // becomes dirtyd. The number 3 is what the protocol says.
        let passed = listener.map_or(0, |listener| listener.as_raw_fd());
        let script = "import os, sys\nbinary, fd = sys.argv[1], int(sys.argv[2])\nif fd:\n    os.dup2(fd, 3)\n    os.environ |= {'LISTEN_FDS': '1', 'LISTEN_PID': str(os.getpid())}\nos.execv(binary, [binary, 'serve', '--config', 'dirtyd.toml'])";
        let inherit = |flag| {
            if let Some(listener) = listener {
                fcntl(listener, FcntlArg::F_SETFD(flag)).expect("open");
            }
        };
        inherit(FdFlag::empty());
        let child = Command::new(python())
            .args(["-c", script, env!("CARGO_BIN_EXE_dirtyd"), &passed.to_string()])
            .current_dir(self.dir.path())
            .env("NOTIFY_SOCKET", self.dir.path().join("notify"))
            .env("WATCHDOG_USEC", "300000")
            .env("DIRTYD_PYTHON", python())
            .env("PYTHONPATH", python_path(&repository().join("tests/supervision/apps")))
            .stderr(fs::File::create(self.dir.path().join("log")).expect("log"))
            .spawn()
            .expect("starts");
        inherit(FdFlag::FD_CLOEXEC);
        child
    }

    /// Waits until it was told a message that begins with `lines`.
    fn told(&self, lines: &str) {
        let mut buffer = [0; 1024];
        let mut seen = Vec::new();
        loop {
            let read = self.notified.recv(&mut buffer).unwrap_or_else(|error| {
                panic!("not told {lines}: {error}; told {seen:?}; log {}", self.log())
            });
            let message = std::str::from_utf8(&buffer[..read]).expect("text");
            if message.starts_with(lines) {
                return;
            }
            seen.push(message.to_owned());
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

async fn end(mut child: Child) {
    signal(child.id() as i32, Signal::SIGTERM);
    eventually(LIMIT, "it ends", async || child.try_wait().expect("a child")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_is_told_of_each_step() {
    let systemd = Systemd::new();
    let child = systemd.start(None);
    systemd.told("READY=1\nSTATUS=serving");
    systemd.told("WATCHDOG=1");
    systemd.told("WATCHDOG=1");
    signal(child.id() as i32, Signal::SIGHUP);
    systemd.told("RELOADING=1\nMONOTONIC_USEC=");
    systemd.told("READY=1");
    signal(child.id() as i32, Signal::SIGUSR2);
    systemd.told("MAINPID=");
    let new = fs::read_to_string(systemd.dir.path().join("dirtyd.2.pid")).expect("it is named");
    end(child).await;
    systemd.told("READY=1");
    let dirty = systemd.dir.path().join("dirtyd-dirty.pid");
    let dirty = eventually(LIMIT, "it has the name", async || fs::read_to_string(&dirty).ok());
    signal(dirty.await.trim().parse().expect("a pid"), Signal::SIGKILL);
    systemd.told("STATUS=the dirty arbiter died; another one starts");
    systemd.told("READY=1");
    signal(new.trim().parse().expect("a pid"), Signal::SIGTERM);
    systemd.told("STOPPING=1\nSTATUS=draining");
    eventually(LIMIT, "it is gone", async || {
        (!crate::family::is_alive(new.trim().parse().expect("a pid"))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn its_socket_is_used_and_left() {
    let systemd = Systemd::new();
    let path = systemd.dir.path().join("passed.sock");
    let listener = UnixListener::bind(&path).expect("socket");
    let child = systemd.start(Some(&listener));
    systemd.told("READY=1");
    let client = Client::connect(&path).with_timeout(Duration::from_secs(20));
    client.execute(LIFE, "pid", args![]).await.expect("served on the passed socket");
    assert!(!systemd.dir.path().join("d.sock").exists());
    end(child).await;
    assert!(path.exists(), "it is systemd's");
}
