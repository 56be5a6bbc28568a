//! A daemon and all of its processes.

use std::{
    collections::BTreeSet,
    fs,
    ops::{Deref, DerefMut},
    path::Path,
    process::{Child, Stdio},
    time::Instant,
};

use dirtyd_client::{Error, Value, args};
use nix::sys::signal::Signal;

use super::{
    Daemon, LIMIT, eventually,
    process::{marked, until},
    repository, signal,
};

/// The moments of an upgrade at which somebody is killed, in microseconds after the
/// new one was forked. The last are after its end on an idle machine.
pub const MOMENTS: [u64; 14] = [
    0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 200_000, 280_000, 360_000,
    500_000,
];

/// The app of most tests.
pub const LIFE: &str = "life:Life";

/// A daemon whose processes are known. Whoever is its main arbiter by then is
/// told to end with the test, and nothing may be left.
pub struct Family(Daemon);

impl Family {
    /// Starts one that serves `life:Life` in two workers.
    pub async fn start() -> Self {
        Self::with("workers = 2\n[[app]]\npath = \"life:Life\"\n").await
    }

    /// Starts one with this configuration, and waits until it serves.
    pub async fn with(config: &str) -> Self {
        let family = Self::launch(config, &[]).await;
        family.ready().await;
        family
    }

    /// Starts one with these files too, and waits until it answers.
    pub async fn launch(config: &str, files: &[(&str, &str)]) -> Self {
        Self(Daemon::launch_with(&configured(config), files).await)
    }

    /// Starts a dirty arbiter alone, and waits until it serves.
    pub async fn single(config: &str) -> Self {
        let family = Self(Daemon::begin_with(&["--single"], &configured(config), &[]));
        eventually(LIMIT, "it serves", async || family.call("pid").await.ok()).await;
        family.ready().await;
        family
    }

    /// Writes another configuration.
    pub fn configure(&self, config: &str) {
        fs::write(self.path("dirtyd.toml"), configured(config)).expect("file");
    }

    /// Calls `life:Life`.
    pub async fn call(&self, action: &str) -> Result<Value, Error> {
        self.client().execute(LIFE, action, args![]).await
    }

    /// The process that a PID file names, once it does.
    pub async fn named(&self, file: &str) -> i32 {
        eventually(LIMIT, file, async || pid_in(&self.path(file))).await
    }

    /// Waits until a PID file names another process than `old`.
    pub async fn renamed(&self, file: &str, old: i32) -> i32 {
        let new = async || pid_in(&self.path(file)).filter(|pid| *pid != old);
        eventually(LIMIT, &format!("another process in {file}"), new).await
    }

    /// All processes of the family: main and dirty arbiters, workers, and what
    /// they forked.
    pub fn processes(&self) -> Vec<i32> {
        marked(&format!("DIRTYD_SOCKET={}", self.socket().display()))
    }

    /// Of two workers, the one that has started a process, and then the other.
    pub async fn starter_first(&self, started: i32) -> [i32; 2] {
        let mark = |pid: i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let entries = environment.split(|byte| *byte == 0).map(<[u8]>::to_owned);
            entries.into_iter().find(|entry| entry.starts_with(b"DIRTYD_WORKER="))
        };
        // A process that becomes another program has none for a moment.
        let its = eventually(LIMIT, "the process has a mark", async || mark(started)).await;
        let mut workers = super::pids(&self.status().await);
        workers.sort_by_key(|worker| mark(*worker).as_ref() != Some(&its));
        workers.try_into().expect("two workers")
    }

    /// Starts an upgrade, which ends with it.
    pub fn upgrade(&self) -> Child {
        let mut command = self.command(&["upgrade", "--wait"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("dirtyd runs")
    }

    /// The main arbiters that an upgrade of `old` has started.
    pub fn successors(&self, old: i32) -> Vec<i32> {
        let is_one = |pid: &i32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            *pid != old
                && is_alive(*pid)
                && String::from_utf8_lossy(&command).contains("--succeed-main")
        };
        self.processes().into_iter().filter(is_one).collect()
    }

    /// Waits until these processes are gone.
    pub async fn gone(&self, pids: &[i32]) {
        eventually(LIMIT, &format!("{pids:?} are gone"), async || {
            pids.iter().all(|pid| !is_alive(*pid)).then_some(())
        })
        .await;
    }

    /// Waits until no process is left.
    pub async fn extinct(&self) {
        eventually(LIMIT, "no process is left", async || self.processes().is_empty().then_some(()))
            .await;
    }

    /// Checks in the log that, once `whole` workers were ready, never fewer were:
    /// whatever replaced one was ready before that one drained.
    pub fn never_fewer_ready(&self, whole: usize) {
        let (log, mut ready, mut was_whole) = (self.log(), BTreeSet::new(), false);
        for line in log.lines() {
            let field = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name));
            match (field("event="), field("pid=")) {
                (Some("WorkerReady"), Some(pid)) => ready.insert(pid),
                (Some("WorkerDraining" | "WorkerDied"), Some(pid)) => ready.remove(pid),
                _ => continue,
            };
            was_whole |= ready.len() >= whole;
            assert!(!was_whole || ready.len() >= whole, "fewer than {whole} at {line}\n{log}");
        }
        assert!(was_whole, "{log}");
    }

    /// The files of its directory, by name.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path(".")).expect("directory").flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

impl Deref for Family {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.0
    }
}

impl DerefMut for Family {
    fn deref_mut(&mut self) -> &mut Daemon {
        &mut self.0
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let (first, main) = (self.pid(), pid_in(&self.path("dirtyd.pid")));
        for pid in self.processes() {
            if std::thread::panicking() {
                signal_if_there(pid, Signal::SIGKILL);
            } else if pid != first && Some(pid) == main {
                signal(pid, Signal::SIGTERM);
                until(LIMIT, || (!is_alive(pid)).then_some(()));
            }
        }
    }
}

fn configured(config: &str) -> String {
    let apps = repository().join("tests/supervision/apps");
    let path = super::python_path(&apps);
    let grace = match config.contains("graceful_timeout") {
        true => "",
        false => "graceful_timeout = \"10s\"\n",
    };
    let path = path.to_str().expect("UTF-8");
    format!(
        "socket = \"d.sock\"\nkill_grace = \"300ms\"\n{grace}{config}\n[env]\nPYTHONPATH = {path:?}\n"
    )
}

fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Waits until a main arbiter has forked its successor, which runs beside its dirty
/// arbiter. Returns whether it has.
pub fn forked(old: i32) -> bool {
    let children = format!("/proc/{old}/task/{old}/children");
    let until = Instant::now() + LIMIT;
    while is_alive(old) && Instant::now() < until {
        let pids = fs::read_to_string(&children).unwrap_or_default();
        if pids.split_whitespace().count() >= 2 {
            return true;
        }
        std::hint::spin_loop();
    }
    false
}

/// Whether a process lives; a zombie does not.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Signals a process that may have ended.
pub fn signal_if_there(pid: i32, number: Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), number);
}
