//! Bytes of others in the log and on the terminal: nothing forges a line, and
//! nothing is obeyed.

use dirtyd_client::{Value, args};

use crate::support::Daemon;

const APP: &str = "[[app]]\npath = \"lab:Lab\"";
const FORGED: &str = "2026-01-01T00:00:00.000000Z  INFO all is well";

/// Whether a terminal would do something other than show the text.
fn is_obeyed(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}')
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_prints_is_shown_and_not_obeyed() {
    let daemon = Daemon::start(APP).await;
    let printed =
        format!("\x1b[2J\x1b]0;owned\x07 user\u{202e}toor\0 東京\r{FORGED} 10%\r{FORGED} 100%");
    daemon.client().execute("lab:Lab", "speak", args![printed]).await.expect("said");
    daemon.logged("100%").await;
    let log = daemon.log();
    assert!(!is_obeyed(&log), "{log:?}");
    assert!(!log.contains("10%"), "the last state of a progress bar alone: {log}");
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")), "{log}");
    daemon.client().execute("lab:Lab", "speak", args!["\x1b[31m 東京"]).await.expect("said");
    daemon.logged("\\x1b[31m 東京").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_cannot_be_loaded_forges_no_line() {
    let broken = format!("raise ValueError('no\\n{FORGED}\\x1b[2J')");
    let config = format!("{APP}\n[[app]]\npath = \"broken:App\"");
    let daemon = Daemon::launch_with(&config, &[("broken.py", &broken)]).await;
    daemon.logged("all is well").await;
    let log = daemon.log();
    assert!(!is_obeyed(&log) && log.contains("\\x1b[2J"), "{log:?}");
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")), "{log}");
    let status = daemon.run(&["status"]).await;
    assert!(status.stdout.contains("all is well") && !is_obeyed(&status.stdout), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_errors_and_results_reach_the_terminal_as_text() {
    let daemon = Daemon::start(APP).await;
    let unknown = daemon.run(&["call", "lab:Lab", "no\u{202e}\x1b[2J such"]).await;
    assert!(!is_obeyed(&unknown.stderr) && unknown.stderr.contains("\\x1b[2J"), "{unknown:?}");
    let text = "\u{9b}31m\u{202e}\x7f";
    let json = serde_json::to_string(text).expect("JSON");
    let echoed = daemon.run(&["call", "lab:Lab", "echo", &json]).await;
    assert!(!is_obeyed(&echoed.stdout), "{echoed:?}");
    let read: String = serde_json::from_str(&echoed.stdout).expect("JSON");
    assert_eq!(read, text, "it means the same");
    let same = daemon.client().execute("lab:Lab", "echo", args![text]).await.expect("echo");
    assert_eq!(same, Value::from(text), "a caller gets what was sent");
}
