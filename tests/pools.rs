//! `[[pool]]`: each has a Python of its own, an environment, a working directory,
//! and its own `workers`, `threads` and `timeout`.

use std::{fs, path::Path, process::Command};

use dirtyd_client::{Reason, Value, args, proto::v1::StatusResponse};
use tonic::Code;

use crate::support::{Daemon, failure, python};

const APP: &str = "
import os, sys, time
import flavour

class App:
    def __call__(self, action):
        if action == 'sleep':
            time.sleep(1)
        return [sys.prefix, flavour.NAME, os.environ['FLAVOUR'], os.getcwd()]
";

fn printed(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn site_packages(python: &Path) -> String {
    let code = "import sysconfig; print(sysconfig.get_path('purelib'))";
    printed(Command::new(python).args(["-c", code]))
}

/// Makes `DIR/NAME` with an app, and `DIR/NAME-env`: a virtual environment that
/// has a module `flavour` of its own, and otherwise what the tests' Python has.
fn make(dir: &Path, name: &str) {
    let (home, env) = (dir.join(name), dir.join(format!("{name}-env")));
    fs::create_dir(&home).expect("directory");
    fs::write(home.join(format!("{name}.py")), APP).expect("app");
    printed(Command::new(python()).args(["-m", "venv", "--without-pip"]).arg(&env));
    let own = site_packages(&env.join("bin/python"));
    fs::write(Path::new(&own).join("base.pth"), site_packages(&python())).expect("path file");
    fs::write(Path::new(&own).join("flavour.py"), format!("NAME = {name:?}\n")).expect("module");
}

/// The threads of each worker of a pool.
fn threads(status: &StatusResponse, pool: &str) -> Vec<u32> {
    let of_pool = status.workers.iter().filter(|worker| worker.pool == pool);
    of_pool.map(|worker| worker.threads).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pool_has_a_virtual_environment_and_all_else_of_its_own() {
    let private = tempfile::TempDir::with_prefix("dirtyd-").expect("directory");
    // Python tells where it is without symbolic links.
    let dir = private.path().canonicalize().expect("it exists");
    make(&dir, "plain");
    make(&dir, "fancy");
    let pool = |name: &str, flavour: &str, settings: &str| {
        let (home, python) = (dir.join(name), dir.join(format!("{name}-env/bin/python")));
        format!(
            "[[pool]]\nname = {name:?}\npython = {python:?}\nchdir = {home:?}\n\
             env = {{ FLAVOUR = {flavour:?} }}\napp = [{{ path = \"{name}:App\" }}]\n{settings}\n"
        )
    };
    let own = "workers = 2\nthreads = 3\ntimeout = \"200ms\"";
    let config = pool("plain", "vanilla", "") + &pool("fancy", "pistachio", own);
    let daemon = Daemon::start(&config).await;

    for (name, flavour) in [("plain", "vanilla"), ("fancy", "pistachio")] {
        let facts = daemon.client().execute(&format!("{name}:App"), "facts", args![]).await;
        let path = |name: &str| dir.join(name).display().to_string();
        let own = [path(&format!("{name}-env")), name.into(), flavour.into(), path(name)];
        assert_eq!(facts.expect("facts"), Value::from(own.to_vec()), "{name}");
    }

    let status = daemon.status().await;
    assert_eq!((threads(&status, "plain"), threads(&status, "fancy")), (vec![1], vec![3, 3]));
    daemon.client().execute("plain:App", "sleep", args![]).await.expect("300 s are enough");
    let outcome = daemon.client().execute("fancy:App", "sleep", args![]).await;
    failure(outcome, Code::DeadlineExceeded, Reason::ExecutionTimeout);
}

/// Starting a process takes a millisecond; nobody waits for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_while_hundreds_of_workers_start() {
    let daemon = Daemon::begin(
        r#"
        [[app]]
        path = "lab:Lab"
        [[pool]]
        name = "many"
        command = ["sleep", "600"]
        workers = 0
        boot_timeout = "10m"
        app = [{ path = "any:App", workers = 1 }]
        "#,
        &[],
    );
    daemon.logged("is ready").await;
    assert_eq!(daemon.run(&["scale", "--pool", "many", "1500"]).await.code, Some(0));
    daemon
        .until("some are started and some are not", |status| {
            let many = || status.workers.iter().filter(|worker| worker.pool == "many");
            many().any(|worker| worker.pid > 0) && many().any(|worker| worker.pid == 0)
        })
        .await;
    daemon.client().execute("lab:Lab", "echo", args![1]).await.expect("it is served");
}
