//! What the commands print, for good and for bad arguments.

use std::{fmt::Write as _, fs, process::Command};

use dirtyd_client::{
    args,
    proto::v1::{AppStatus, StatusResponse, WorkerState, WorkerStatus},
};

use super::{golden, normal::normal};
use crate::support::{Daemon, Output, python};

const APP: &str = include_str!("app.py");
const CONFIG: &str = r#"
workers = 1
timeout = "2s"
kill_grace = "20s"
restart_window = "1s"
max_message_size = "64KiB"
dirty_apps = ["app:Demo"]
[[pool]]
name = "broken"
app = [{ path = "app:Broken" }]
"#;

/// Configurations with one mistake each, and what is wrong in the first line.
const MISTAKES: [(&str, &str); 11] = [
    ("empty.toml", ""),
    ("syntax.toml", "workers = \n"),
    ("unknown.toml", "wrokers = 2\n"),
    ("value.toml", "timeout = \"soon\"\n"),
    ("bound.toml", "max_message_size = \"3GiB\"\n"),
    ("path.toml", "dirty_apps = [\"counter.Counter\"]\n"),
    ("twice.toml", "dirty_apps = [\"a:A\", \"a:A\"]\n"),
    ("table.toml", "[app]\npath = \"a:A\"\n"),
    ("list.toml", "app = [\"a:A\"]\n"),
    ("many.toml", "workers = 2\n[[app]]\npath = \"a:A\"\nworkers = 3\n"),
    ("missing.toml", "chdir = \"nowhere\"\ndirty_apps = [\"a:A\"]\n"),
];

/// A terminal: commands, and what they printed.
struct Terminal {
    daemon: Daemon,
    text: String,
}

impl Terminal {
    fn chapter(&mut self, title: &str) {
        writeln!(self.text, "# {title}\n").expect("a string");
    }

    async fn run(&mut self, arguments: &[&str]) {
        let output = self.daemon.run(arguments).await;
        self.tell(arguments, &output);
    }

    /// As with another socket.
    fn run_at(&mut self, socket: &str, arguments: &[&str]) {
        let mut command: Command = self.daemon.command(arguments);
        command.env("DIRTYD_SOCKET", socket);
        let output = command.output().expect("dirtyd runs").into();
        let variable = format!("DIRTYD_SOCKET={socket}");
        self.tell_after(&format!("{variable} dirtyd"), arguments, &output);
    }

    fn tell(&mut self, arguments: &[&str], output: &Output) {
        self.tell_after("dirtyd", arguments, output);
    }

    fn tell_after(&mut self, program: &str, arguments: &[&str], output: &Output) {
        let quoted = arguments.iter().map(|argument| match argument.contains([' ', '"', '{']) {
            true => format!("'{argument}'"),
            false => (*argument).to_owned(),
        });
        let shown = quoted.collect::<Vec<_>>().join(" ");
        let dir = self.daemon.path("");
        let dir = dir.to_string_lossy();
        let printed = format!("{}{}", output.stdout, output.stderr);
        let printed = normal(&printed, dir.trim_end_matches('/'));
        let code = match output.code {
            Some(0) => String::new(),
            code => format!("[exit {}]\n", code.unwrap_or(-1)),
        };
        writeln!(self.text, "$ {program} {shown}\n{printed}{code}").expect("a string");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_commands_print_was_read() {
    let files = [&[("app.py", APP)], MISTAKES.as_slice()].concat();
    let config = format!("{CONFIG}python = {:?}\n", python());
    let daemon = Daemon::launch_with(&config, &files).await;
    let settled = |status: &StatusResponse| {
        let is_ready =
            |worker: &WorkerStatus| worker.state() == WorkerState::Ready && worker.in_flight == 0;
        let is_told =
            |app: &AppStatus| app.ready_workers > 0 || app.last_error.contains("no weights");
        status.workers.iter().all(is_ready) && status.apps.iter().all(is_told)
    };
    daemon.until("Demo is ready, Broken is not", settled).await;
    let mut terminal = Terminal { daemon, text: String::new() };

    terminal.chapter("Calls");
    for arguments in [
        &["call", "app:Demo", "hello"][..],
        &["call", "app:Demo", "hello", "hello"],
        &["call", "app:Demo", "hello", "[1,"],
        &["call", "app:Demo", "hello", "1e999"],
        &["call", "app:Demo", "hello", "--kwargs", "\"name\""],
        &["call", "app:Demo", "hello", "--timeout", "soon"],
        &["call", "app:Demo", "hello", "1", "2", "3"],
        &["call", "app:Demo", "goodbye"],
        &["call", "app:Demo", "init"],
        &["call", "app:Dmeo", "hello"],
        &["call", "app.Demo", "hello"],
        &["call", "app:Demo", "tell"],
        &["stream", "app:Demo", "tell"],
        &["stream", "--raw", "app:Demo", "tell"],
        &["stream", "app:Demo", "hello"],
        &["call", "app:Demo", "fail"],
        &["call", "app:Demo", "odd"],
        &["call", "app:Demo", "nap", "20", "--timeout", "500ms"],
        &["call", "app:Demo", "nap", "20"],
        &["call", "app:Broken", "work"],
        &["call", "app:Demo", "die"],
    ] {
        terminal.run(arguments).await;
        terminal.daemon.until("Demo is ready", settled).await;
    }
    let large = "x".repeat(100_000);
    let client = terminal.daemon.client();
    let refused = client.execute("app:Demo", "hello", args![large]).await.expect_err("large");
    writeln!(terminal.text, "# An argument of 100 kB\n\n{refused}\n").expect("a string");

    terminal.chapter("Operating");
    for arguments in [
        &["scale", "2"][..],
        &["scale", "2", "--pool", "nowhere"],
        &["scale", "1", "--wait"],
        &["scale", "0"],
        &["scale", "5000"],
        &["calls"],
        &["cancel", "7"],
        &["cancel", "my-request"],
        &["stacks"],
        &["stacks", "999"],
        &["restart", "999"],
        &["restart", "one"],
        &["top"],
        &["top", "--interval", "1ms"],
        &["reload", "--pool", "nowhere"],
        &["reload", "--pool", "default"],
        &["reload"],
    ] {
        terminal.run(arguments).await;
        terminal.daemon.until("Demo is ready", settled).await;
    }
    let changed = format!("max_connections = 7\nproc_name = \"other\"\n{config}");
    fs::write(terminal.daemon.path("dirtyd.toml"), changed).expect("a file");
    terminal.run(&["reload", "--pool", "default"]).await;
    terminal.daemon.until("Demo is ready", settled).await;
    fs::write(terminal.daemon.path("dirtyd.toml"), "timout = 1").expect("a file");
    terminal.run(&["reload"]).await;
    terminal.run(&["serve", "--app", "app:Demo"]).await;

    terminal.chapter("Without a daemon");
    for arguments in [
        &["status", "--connect-timeout", "0s"][..],
        &["call", "app:Demo", "hello", "--connect-timeout", "0s"],
        &["status", "--config", "unknown.toml"],
    ] {
        terminal.run_at("gone.sock", arguments);
    }
    terminal.run_at("app.py", &["status"]);
    terminal.run(&["upgrade", "--proc-name", "other"]).await;

    terminal.chapter("Configurations");
    for (file, text) in MISTAKES {
        if !text.is_empty() {
            writeln!(terminal.text, "{}", text.trim_end()).expect("a string");
        }
        let output = terminal.daemon.run(&["check", "--config", file]).await;
        let without = Output { stdout: String::new(), ..output };
        terminal.tell(&["check", "--config", file], &without);
    }
    for arguments in [
        &["check", "--config", "absent.toml"][..],
        &["check", "--config", "."],
        &["check", "--app", "app:Demo:0"],
        &["check", "--app", "app:Demo", "--max-queue", "many"],
        &["check", "--app", "app:Demo", "--max-qeue", "1"],
        &["check", "--app", "app:Demo"],
        &["chekc"],
    ] {
        terminal.run(arguments).await;
    }

    terminal.chapter("Help");
    for command in [
        "call", "stream", "status", "top", "calls", "cancel", "stacks", "events", "reload",
        "restart", "scale", "upgrade",
    ] {
        terminal.run(&[command, "--help"]).await;
    }
    for command in ["serve", "check"] {
        terminal.run(&[command, "-h"]).await;
    }
    terminal.run(&["--help"]).await;
    golden("commands.txt", &terminal.text);
}
