//! Booting: an app that cannot be loaded is refused with its reason and served
//! once its fault is gone; nothing else suffers.

use std::fs;

use dirtyd_client::proto::v1::WorkerState;
use dirtyd_client::{Reason, Value, args};
use tonic::Code;

use crate::support::{Daemon, LIMIT, app, eventually, failed_apps, failure, pids, python};

const BOTH: &str = "[[app]]\npath = \"lab:Lab\"\n[[app]]\npath = \"broken:App\"";

/// An app whose `init` needs the file `weights`.
const NEEDS_A_FILE: &str = "
import pathlib
class App:
    def init(self):
        if not pathlib.Path('weights').exists():
            raise FileNotFoundError('weights are missing')
    def __call__(self, action):
        return 'served'
";
/// A source file with a fault, and without.
const FAULTY: &str =
    "class App:\n    def __call__(self, action): return 'served'\nimport no_such_module\n";
const MENDED: &str = "class App:\n    def __call__(self, action): return 'served'\n";

async fn is_served(daemon: &Daemon) -> bool {
    let outcome = daemon.client().execute("broken:App", "any", args![]).await;
    outcome.is_ok_and(|value| value == Value::from("served"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_raises_is_told_to_callers_and_tried_again() {
    let daemon = Daemon::launch_with(BOTH, &[("broken.py", NEEDS_A_FILE)]).await;
    let outcome = daemon.client().execute("broken:App", "any", args![]).await;
    let refused = failure(outcome, Code::Unavailable, Reason::NoWorkers);
    assert!(
        refused.message.contains("FileNotFoundError: weights are missing"),
        "{}",
        refused.message
    );
    assert!(refused.message.contains("broken.py"), "the traceback's end: {}", refused.message);
    assert!(refused.retry_after.is_some());
    daemon.client().execute("lab:Lab", "echo", args![]).await.expect("the other app is served");

    let status = daemon.status().await;
    assert_eq!(failed_apps(&status), ["broken:App"]);
    assert_eq!(status.workers[0].state(), WorkerState::Ready);
    assert!(app(&status, "broken:App").last_error.contains("weights are missing"));

    daemon.touch("weights");
    let recovered = daemon.until("it is loaded", |s| app(s, "broken:App").ready_workers == 1).await;
    assert!(is_served(&daemon).await);
    assert_eq!(pids(&recovered), pids(&status), "without a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mended_source_file_is_read_again() {
    let daemon = Daemon::launch_with(BOTH, &[("broken.py", FAULTY)]).await;
    let outcome = daemon.client().execute("broken:App", "any", args![]).await;
    let refused = failure(outcome, Code::Unavailable, Reason::NoWorkers);
    assert!(refused.message.contains("no_such_module"), "{}", refused.message);
    let before = daemon.until("the rest is ready", |s| app(s, "lab:Lab").ready_workers == 1).await;
    fs::write(daemon.path("broken.py"), MENDED).expect("file");
    let after = daemon.until("it is loaded", |s| app(s, "broken:App").ready_workers == 1).await;
    assert!(is_served(&daemon).await);
    assert_eq!(pids(&after), pids(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_that_hangs_ends_with_boot_timeout_and_the_others_are_served() {
    let hangs = "import time\nclass App:\n    def init(self): time.sleep(60)\n    def __call__(self, action): pass\n";
    let config = format!("boot_timeout = \"1s\"\n{BOTH}");
    let daemon = Daemon::launch_with(&config, &[("broken.py", hangs)]).await;
    daemon.logged("init() of app `broken:App` did not finish within boot_timeout").await;
    daemon.until("the other app is served", |s| app(s, "lab:Lab").ready_workers == 1).await;
    let outcome = daemon.client().execute("broken:App", "any", args![]).await;
    failure(outcome, Code::Unavailable, Reason::NoWorkers);
    daemon.client().execute("lab:Lab", "echo", args![]).await.expect("echo");
    assert!(daemon.log().contains("in init"), "the log shows where it hangs: {}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_takes_its_worker_down_does_not_take_the_others_along() {
    let dies = "import os\nclass App:\n    def init(self): os._exit(11)\n    def __call__(self, action): pass\n";
    let daemon = Daemon::launch_with(BOTH, &[("broken.py", dies)]).await;
    daemon.until("the other app is served", |s| app(s, "lab:Lab").ready_workers == 1).await;
    let outcome = daemon.client().execute("broken:App", "any", args![]).await;
    let refused = failure(outcome, Code::Unavailable, Reason::NoWorkers);
    assert!(refused.message.contains("exited with code 11"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_started_is_named() {
    let config = "[[app]]\npath = \"lab:Lab\"\n[[pool]]\nname = \"gone\"\ncommand = [\"./no-such-program\"]\napp = [{ path = \"Gone\" }]";
    let daemon = Daemon::launch(config).await;
    let outcome = daemon.client().execute("Gone", "any", args![]).await;
    let refused = failure(outcome, Code::Unavailable, Reason::NoWorkers);
    assert!(refused.message.contains("no-such-program"), "{}", refused.message);
    daemon.client().execute("lab:Lab", "echo", args![]).await.expect("the other pool serves");
    // A program that appears is started without a restart of the arbiter.
    let script = format!("#!/bin/sh\nexec {:?} -m dirtyd.worker\n", python());
    fs::write(daemon.path("no-such-program"), script).expect("file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(daemon.path("no-such-program"), mode).expect("mode");
    daemon.until("it runs", |status| pids(status).len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_during_the_boot_wait_for_it() {
    let slow = "import pathlib, time\nclass App:\n    def init(self):\n        while not pathlib.Path('go').exists(): time.sleep(0.005)\n    def __call__(self, action): return 'served'\n";
    let daemon =
        Daemon::launch_with("[[app]]\npath = \"broken:App\"", &[("broken.py", slow)]).await;
    let client = daemon.client();
    let call = tokio::spawn(async move { client.execute("broken:App", "any", args![]).await });
    daemon.until("it waits", |status| app(status, "broken:App").queued == 1).await;
    daemon.touch("go");
    assert_eq!(call.await.expect("no panic").expect("served"), Value::from("served"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_no_workers_says_so() {
    let daemon = Daemon::launch("workers = 0\n[[app]]\npath = \"lab:Lab\"").await;
    let outcome = daemon.client().execute("lab:Lab", "echo", args![]).await;
    let refused = failure(outcome, Code::Unavailable, Reason::NoWorkers);
    assert!(refused.message.contains("0 workers"), "{}", refused.message);
}

/// As numpy does: what a failed import of a package leaves behind keeps it from being
/// imported again in the same process. Another one is tried, and the app beside it is
/// served all the time.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_packages_are_half_loaded_is_tried_in_a_new_process() {
    const PACKAGE: &str = "import heavy.core
from pathlib import Path

if not Path('database').exists():
    raise RuntimeError('the database is not up yet')
";
    // It can be initialised once.
    const CORE: &str = "import builtins

if hasattr(builtins, 'heavy'):
    raise ImportError('cannot load module more than once per process')
builtins.heavy = True
";
    const APP: &str = "class Light:
    def __call__(self, action): return action
";
    // Installed somewhere, and not the app's own.
    let installed = tempfile::TempDir::with_prefix("dirtyd-").expect("directory");
    let package = installed.path().join("heavy");
    fs::create_dir(&package).expect("folder");
    fs::write(package.join("__init__.py"), PACKAGE).expect("file");
    fs::write(package.join("core.py"), CORE).expect("file");
    let more = format!(
        "import sys\nsys.path.append({:?})\nimport heavy\nfrom apps import Light as More\n",
        installed.path()
    );
    let files = [("apps.py", APP), ("more.py", more.as_str())];
    let config = "[[app]]\npath = \"apps:Light\"\n[[app]]\npath = \"more:More\"\n";
    let daemon = Daemon::launch_with(config, &files).await;
    daemon.until("one app has failed", |status| failed_apps(status) == ["more:More"]).await;
    daemon.touch("database");
    let client = daemon.client();
    eventually(LIMIT, "the other one is served", async || {
        client.execute("apps:Light", "act", args![]).await.expect("served all the time");
        client.execute("more:More", "act", args![]).await.ok()
    })
    .await;
}
