//! The worker runtimes under test.

use std::{env, path::PathBuf, process::Command};

/// How to start the worker of one language.
pub struct Runtime {
    /// The language.
    pub name: &'static str,
    command: Vec<PathBuf>,
}

/// Python, Rust, Node where it is built, and `$WORKER_CONFORMANCE_COMMAND`.
pub fn all() -> Vec<Runtime> {
    let python = env::var_os("DIRTYD_TEST_PYTHON")
        .map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from);
    let rust = env::current_exe().expect("this binary has a path");
    let node = repository().join("clients/node/dist/worker.js");
    let mut runtimes = vec![
        Runtime { name: "python", command: vec![python, "-m".into(), "dirtyd.worker".into()] },
        Runtime { name: "rust", command: vec![rust] },
    ];
    if node.exists() {
        runtimes.push(Runtime { name: "node", command: vec!["node".into(), node] });
    } else {
        println!("node is left out: {} is not built", node.display());
    }
    if let Ok(command) = env::var("WORKER_CONFORMANCE_COMMAND") {
        let command = command.split_whitespace().map(PathBuf::from).collect();
        runtimes.push(Runtime { name: "own", command });
    }
    runtimes
}

impl Runtime {
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
