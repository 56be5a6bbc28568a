//! The worker runtimes under test.

use std::{env, ops::RangeInclusive, panic, path::PathBuf, process::Command};

use dirtyd_client::proto::worker::Hello;

use crate::arbiter::Arbiter;

/// The versions of the protocol that the suite speaks.
const VERSIONS: RangeInclusive<u32> = 1..=2;

/// How to start the worker of one language, and in which version to speak with it.
pub struct Runtime {
    /// The language.
    pub name: &'static str,
    /// The version of the protocol that its arbiter speaks.
    pub version: u32,
    command: Vec<PathBuf>,
}

/// Python, Rust, Node where it is built, and `$WORKER_CONFORMANCE_COMMAND`, each in every version.
/// A worker of somebody else's may leave versions out.
pub fn all() -> Vec<Runtime> {
    let python = env::var_os("DIRTYD_TEST_PYTHON")
        .map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from);
    let node = repository().join("clients/node/dist/worker.js");
    let mut runtimes = in_every_version("python", &[python, "-m".into(), "dirtyd.worker".into()]);
    runtimes.extend(VERSIONS.map(rust));
    if node.exists() {
        runtimes.extend(in_every_version("node", &["node".into(), node]));
    } else {
        println!("node is left out: {} is not built", node.display());
    }
    if let Ok(command) = env::var("WORKER_CONFORMANCE_COMMAND") {
        let command: Vec<_> = command.split_whitespace().map(PathBuf::from).collect();
        runtimes.extend(in_every_version("own", &command).into_iter().filter(Runtime::is_spoken));
    }
    runtimes
}

/// This binary itself.
pub fn rust(version: u32) -> Runtime {
    let command = vec![env::current_exe().expect("this binary has a path")];
    Runtime { name: "rust", version, command }
}

fn in_every_version(name: &'static str, command: &[PathBuf]) -> Vec<Runtime> {
    VERSIONS.map(|version| Runtime { name, version, command: command.to_vec() }).collect()
}

/// The versions that a worker speaks, as its Hello says.
pub fn versions(hello: &Hello) -> RangeInclusive<u32> {
    let lowest = hello.protocol_version;
    lowest..=if hello.latest_protocol_version == 0 { lowest } else { hello.latest_protocol_version }
}

impl Runtime {
    /// What its column of the table is called.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// Whether its worker says that it has these capabilities, and its version has any. One that
    /// cannot say Hello has none.
    pub fn can(&self, capabilities: &[&str]) -> bool {
        let said = || panic::catch_unwind(|| Arbiter::start(self).hello().capabilities);
        capabilities.is_empty()
            || self.version > 1
                && said().is_ok_and(|said| {
                    capabilities.iter().all(|name| said.iter().any(|own| own == name))
                })
    }

    /// False if its worker says that it does not speak this version. One that cannot say Hello is
    /// for the cases to judge.
    fn is_spoken(&self) -> bool {
        let hello = panic::catch_unwind(|| Arbiter::start(self).hello());
        let spoken = hello.map_or(true, |hello| versions(&hello).contains(&self.version));
        if !spoken {
            println!("{} is left out: the worker does not speak this version", self.title());
        }
        spoken
    }

    /// A shell that moves the socket from its stdin to descriptor 3, as the
    /// arbiter would, and becomes the worker: no descriptor surgery in here.
    pub fn command(&self) -> Command {
        let here = repository().join("tests/worker_conformance/apps");
        let paths =
            [repository().join("clients/python/src"), repository().join("tests/conformance")];
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$@" 3<&0 0</dev/null"#, "sh"])
            .args(&self.command)
            .env("DIRTYD_WORKER_FD", "3")
            .env("PYTHONPATH", env::join_paths(paths).expect("no colon in the paths"))
            .current_dir(here);
        command
    }
}

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
