//! A stock client without options: grpcurl over the Unix socket.

use std::{env, path::PathBuf, process::Command};

use crate::support::{Daemon, Output, repository};

async fn grpcurl(daemon: &Daemon, options: &[&str], task: &[&str]) -> Output {
    let made = || repository().join(".tools/bin/grpcurl");
    let program = env::var_os("GRPCURL").map_or_else(made, PathBuf::from);
    let mut command = Command::new(&program);
    command.args(["-plaintext", "-unix"]).args(options).arg(daemon.socket()).args(task);
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.expect("no panic").unwrap_or_else(|error| {
        panic!("{}: {error}; `make test-rust` makes it", program.display())
    });
    output.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_describes() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let list = grpcurl(&daemon, &[], &["list"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");
    for service in ["dirty.v1.Admin", "dirty.v1.Arbiter", "grpc.health.v1.Health"] {
        assert!(list.stdout.lines().any(|line| line == service), "{}", list.stdout);
    }
    let described = grpcurl(&daemon, &[], &["describe", "dirty.v1.Arbiter"]).await;
    assert!(described.stdout.contains("rpc ExecuteStream"), "{}", described.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn executes_and_streams() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let echo = r#"{"app":"lab:Lab","action":"echo","args":[{"string_value":"hello"}]}"#;
    let output = grpcurl(&daemon, &["-d", echo], &["dirty.v1.Arbiter/Execute"]).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("\"stringValue\": \"hello\""), "{}", output.stdout);
    let count = r#"{"app":"lab:Lab","action":"count","args":[{"int_value":3}]}"#;
    let output = grpcurl(&daemon, &["-d", count], &["dirty.v1.Arbiter/ExecuteStream"]).await;
    assert_eq!(output.stdout.matches("intValue").count(), 3, "{}", output.stdout);
    let fail = r#"{"app":"lab:Lab","action":"fail","args":[{"string_value":"no"}]}"#;
    let output = grpcurl(&daemon, &["-d", fail], &["dirty.v1.Arbiter/Execute"]).await;
    assert!(output.stderr.contains("APP_ERROR"), "ErrorInfo is shown: {}", output.stderr);
}
