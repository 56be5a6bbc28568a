//! A deploy by a link: `current -> releases/1` becomes `current -> releases/2`, and
//! the old release is deleted.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Child, Command, Stdio},
};

use dirtyd_client::{Client, args};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::{LIMIT, eventually, process, python, python_path, signal};

const CONFIG: &str = "[[app]]\npath = \"release:Release\"\n";

/// A dirtyd that was started as `cd current && dirtyd serve`.
struct Deployed {
    dir: TempDir,
    first: Child,
    client: Client,
}

impl Deployed {
    async fn start(flags: &[&str]) -> Self {
        let dir = TempDir::with_prefix("dirtyd-").expect("directory");
        release(dir.path(), "1");
        let first = command(dir.path()).arg("serve").args(flags).spawn().expect("dirtyd");
        let client = Client::connect(dir.path().join("d.sock"));
        let deployed = Self { dir, first, client };
        deployed.serves("1").await;
        deployed
    }

    /// Switches the link to a new release, and deletes the old one.
    fn switch(&self, old: &str, new: &str) {
        release(self.dir.path(), new);
        fs::remove_dir_all(self.dir.path().join("releases").join(old)).expect("deleted");
    }

    async fn told(&self) -> Option<(String, i32)> {
        let value = self.client.execute("release:Release", "told", args![]).await.ok()?;
        let told = value.as_str()?.to_owned();
        let (release, pid) = told.split_once(' ')?;
        Some((release.to_owned(), pid.parse().ok()?))
    }

    /// Waits until this release is served; returns the worker.
    async fn serves(&self, release: &str) -> i32 {
        let served = async || self.told().await.filter(|(told, _)| told == release);
        eventually(LIMIT, &format!("release {release} is served"), served).await.1
    }

    fn succeeds(&self, arguments: &[&str]) {
        let output = command(self.dir.path()).args(arguments).output().expect("dirtyd");
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        assert!(output.status.success(), "{}\n{log}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let main = fs::read_to_string(self.dir.path().join("dirtyd.pid")).unwrap_or_default();
        if let Ok(main) = main.trim().parse() {
            signal(main, Signal::SIGTERM);
        }
        let _ = process::wait(&mut self.first, LIMIT);
    }
}

fn release(dir: &Path, name: &str) {
    let folder = dir.join("releases").join(name);
    fs::create_dir_all(&folder).expect("made");
    let app = format!(
        "import os\nfrom dirtyd import DirtyApp\nclass Release(DirtyApp):\n    def told(self):\n        return f'{name} {{os.getpid()}}'\n"
    );
    fs::write(folder.join("release.py"), app).expect("written");
    fs::write(folder.join("dirtyd.toml"), CONFIG).expect("written");
    symlink(format!("releases/{name}"), dir.join("next")).expect("linked");
    fs::rename(dir.join("next"), dir.join("current")).expect("switched");
}

/// A command as a shell in `current` starts it.
fn command(dir: &Path) -> Command {
    let log = fs::File::options().create(true).append(true).open(dir.join("log")).expect("log");
    let current = dir.join("current");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dirtyd"));
    command
        .current_dir(&current)
        .env("PWD", &current)
        .env("DIRTYD_PYTHON", python())
        .env("DIRTYD_SOCKET", dir.join("d.sock"))
        .env("PYTHONPATH", python_path(Path::new("/nonexistent")))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::null())
        .stderr(log);
    command
}

async fn each_release_is_served(flags: &[&str]) {
    let deployed = Deployed::start(flags).await;
    deployed.switch("1", "2");
    deployed.succeeds(&["reload"]);
    let worker = deployed.serves("2").await;
    let log = fs::read_to_string(deployed.dir.path().join("log")).expect("the log");
    assert!(log.contains("releases/2; new workers start there"), "{log}");
    deployed.switch("2", "3");
    signal(worker, Signal::SIGKILL);
    deployed.serves("3").await;
    deployed.switch("3", "4");
    deployed.succeeds(&["upgrade", "--wait"]);
    deployed.serves("4").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_switched_link_is_followed_where_the_file_is_named() {
    each_release_is_served(&["--config", "dirtyd.toml"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_switched_link_is_followed_where_the_app_is_named() {
    each_release_is_served(&["--app", "release:Release"]).await;
}
