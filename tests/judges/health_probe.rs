//! grpc-health-probe: what Kubernetes and others ask whether a server is well.

use std::{path::Path, process::Command};

use crate::{
    program::{self, run},
    support::Daemon,
};

/// The exit codes that its manual names.
const SERVING: i32 = 0;
const NO_CONNECTION: i32 = 2;
const NO_ANSWER: i32 = 3;
const NOT_SERVING: i32 = 4;

/// Probes; returns the exit code, and what the probe says.
async fn probe(socket: &Path, service: &str) -> (i32, String) {
    let mut command = Command::new(program::path("grpc-health-probe"));
    command.arg("-addr").arg(format!("unix:{}", socket.display())).args(["-service", service]);
    // Its own limits are a second each, which a busy machine may take.
    command.args(["-connect-timeout", "20s", "-rpc-timeout", "20s"]);
    let output = run(command).await;
    (output.code.expect("an exit"), output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_the_whole_and_each_app() {
    const APPS: &str = "[[app]]\npath = \"lab:Lab\"\n[[app]]\npath = \"broken:App\"";
    let daemon = Daemon::launch_with(APPS, &[("broken.py", "raise ValueError")]).await;
    daemon.until("one is served", |s| s.apps.iter().any(|app| app.ready_workers > 0)).await;
    daemon.until("one is not", |s| s.apps.iter().any(|app| !app.last_error.is_empty())).await;
    for (service, expected, says) in [
        ("", SERVING, "SERVING"),
        ("lab:Lab", SERVING, "SERVING"),
        ("broken:App", NOT_SERVING, "NOT_SERVING"),
        ("nobody:Nobody", NO_ANSWER, "NotFound"),
    ] {
        let (code, said) = probe(&daemon.socket(), service).await;
        assert_eq!(code, expected, "{service:?}: {said}");
        assert!(said.contains(says), "{service:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tells_that_nobody_is_there() {
    let dir = tempfile::tempdir().expect("directory");
    let mut command = Command::new(program::path("grpc-health-probe"));
    let socket = dir.path().join("nobody.sock");
    command.arg("-addr").arg(format!("unix:{}", socket.display()));
    let output = run(command).await;
    assert_eq!(output.code, Some(NO_CONNECTION), "{output:?}");
}
