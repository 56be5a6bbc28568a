//! connectconformance: what the protocols gRPC, gRPC-Web and Connect demand of a server. It calls
//! `connectrpc/server`, a service of its own behind the edge.

use std::process::Command;

use crate::{
    known,
    program::{self, run},
    support::repository,
};

/// The cases of the version that make/setup.mk pins, as far as `config.yaml` wants them.
const CASES: usize = 717;

#[tokio::test(flavor = "multi_thread")]
async fn the_protocols_are_spoken_as_their_standards_say() {
    let file = |name| repository().join("tests/judges/connectrpc").join(name);
    let mut command = Command::new(program::path("connectconformance"));
    command.args(["--mode", "server", "--conf"]).arg(file("config.yaml"));
    // It fails on one of these that passes, too.
    for case in &known::failures("connectrpc/known.txt") {
        command.args(["--known-failing", case]);
    }
    command.args(["--", env!("CARGO_BIN_EXE_conformance-server")]);
    let output = run(command).await;
    assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    let total = format!("Total cases: {CASES}\n");
    assert!(output.stderr.contains(&total) || output.stdout.contains(&total), "{output:?}");
}
