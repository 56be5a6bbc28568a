//! h2spec: what RFC 7540 and RFC 7541 demand of a server.

use std::{collections::BTreeSet, fs, process::Command};

use roxmltree::{Document, Node};

use crate::{
    known, loopback,
    program::{self, run},
    support::Daemon,
};

/// The cases of the version that make/setup.mk pins.
const CASES: usize = 145;

/// What h2spec asks for in all cases. Its answer comes after the end of the request, so that no
/// case is decided by which of the two is faster, answer or fault; and it is some bytes long, which
/// cases about windows need.
const PATH: &str = "/v1/lab:Lab/facts";

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_as_its_standards_say() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    let port = loopback::leading_to(daemon.socket()).await.expect("a port").port();
    let report = daemon.path("report.xml");
    let mut command = Command::new(program::path("h2spec"));
    // Each case that is known to fail waits that many seconds for the answer that it wants.
    command.args(["--timeout", "5", "--path", PATH, "--port", &port.to_string()]);
    command.arg("--junit-report").arg(&report);
    let output = run(command).await;
    let report = fs::read_to_string(report).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let report = Document::parse(&report).expect("XML");
    let cases = || report.descendants().filter(|node| node.has_tag_name("testcase"));
    assert_eq!(cases().count(), CASES);
    let failed: BTreeSet<_> = cases().filter(has_failed).map(|case| name(&case)).collect();
    known::compare("h2spec.txt", &failed, &output.stdout);
}

fn has_failed(case: &Node) -> bool {
    case.children().any(|child| child.is_element())
}

/// The section and the title, such as `http2/3.5 Sends client connection preface`.
fn name(case: &Node) -> String {
    let [section, title] =
        ["package", "classname"].map(|name| case.attribute(name).expect("an attribute"));
    format!("{section} {title}")
}
