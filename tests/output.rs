//! What workers write to stdout and stderr: whose it is, how grave, and in one piece
//! what belongs together.

use dirtyd_client::args;
use nix::sys::signal::Signal;

use crate::support::{Daemon, pids, signal};

/// Everything that Python itself may say in a worker, and what an app may.
const NOISY: &str = r#"
import logging
import sys
import threading
import warnings

from dirtyd import DirtyApp, LogHandler, current_call

class Noisy(DirtyApp):
    def init(self):
        self.log = logging.getLogger("noisy")
        self.log.addHandler(LogHandler())
        self.log.setLevel(logging.DEBUG)
        self.log.propagate = False
        self.waiting = threading.Event()
        threading.Thread(target=self.waiting.wait, name="idle", daemon=True).start()

    def speak(self):
        print("said at info")
        print("<7>said at debug", file=sys.stderr)
        warnings.warn("this is old")
        logging.getLogger("nobody").warning("without a handler")
        self.log.info("a record")
        try:
            1 / 0
        except ZeroDivisionError:
            self.log.exception("a record with its traceback")
        thread = threading.Thread(target=lambda: [][0])
        thread.start()
        thread.join()

    def rest(self):
        call = current_call()
        while not call.cancelled:
            self.waiting.wait(0.05)
"#;

async fn spoken(keys: &str) -> String {
    let config = format!("{keys}\n[[app]]\npath = \"noisy:Noisy\"");
    let daemon = Daemon::launch_with(&config, &[("noisy.py", NOISY)]).await;
    daemon.ready().await;
    daemon.client().execute("noisy:Noisy", "speak", args![]).await.expect("it speaks");
    daemon.logged("IndexError").await;
    daemon.log()
}

fn level_of<'a>(log: &'a str, text: &str) -> Option<&'a str> {
    log.lines().find(|line| line.contains(text))?.split_whitespace().nth(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_workers_write_has_its_level_and_a_key_of_its_own() {
    let log = spoken("log_filter = \"error\"").await;
    for (text, level) in [
        ("said at info", Some("INFO")),
        ("said at debug", None),
        ("UserWarning: this is old", Some("WARN")),
        ("without a handler", Some("WARN")),
        ("a record worker=", Some("INFO")),
        ("a record with its traceback", Some("ERROR")),
        ("ZeroDivisionError: division by zero", Some("ERROR")),
        ("IndexError", Some("ERROR")),
        ("listens on", None),
    ] {
        assert_eq!(level_of(&log, text), level, "{text}\n{log}");
    }
    assert!(!log.contains("<4>") && !log.contains("<3>"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_output_says_from_which_level_on() {
    let log = spoken("worker_output = \"error\"").await;
    for (text, level) in
        [("said at info", None), ("this is old", None), ("IndexError", Some("ERROR"))]
    {
        assert_eq!(level_of(&log, text), level, "{text}\n{log}");
    }
    assert_eq!(level_of(&log, "listens on"), Some("INFO"), "{log}");
    let log = spoken("worker_output = \"debug\"").await;
    assert_eq!(level_of(&log, "said at debug"), Some("DEBUG"), "{log}");
}

/// QUIT by hand, as an operator sends it.
#[tokio::test(flavor = "multi_thread")]
async fn the_stacks_of_a_worker_are_one_event_with_the_code_of_the_app_first() {
    let config = "threads = 2\n[[app]]\npath = \"noisy:Noisy\"";
    let daemon = Daemon::launch_with(config, &[("noisy.py", NOISY)]).await;
    daemon.ready().await;
    let resting = tokio::spawn({
        let client = daemon.client().clone();
        async move { client.execute("noisy:Noisy", "rest", args![]).await }
    });
    daemon.until("it rests", |status| status.workers[0].in_flight == 1).await;
    signal(pids(&daemon.status().await)[0], Signal::SIGQUIT);
    daemon.logged("in _run_module_as_main").await;
    resting.abort();
    let log = daemon.log();
    let events = log.lines().filter(|line| line.contains("hread 0x") && !line.starts_with(' '));
    let events: Vec<_> = events.collect();
    assert_eq!(events.len(), 1, "one event: {log}");
    assert_eq!(level_of(&log, "hread 0x"), Some("WARN"));
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} in {log}"));
    assert!(at("noisy.py\", line 35 in rest") < at("in _run_module_as_main"), "{log}");
}
