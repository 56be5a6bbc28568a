//! The samples of `clients/rust`, as a user runs them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use super::daemon;
use crate::support::{Daemon, Output, example};

fn sample(daemon: &Daemon, name: &str) -> Command {
    let mut command = Command::new(example(name));
    command.env("DIRTYD_SOCKET", daemon.socket());
    command
}

async fn output(mut command: Command) -> String {
    let run = tokio::task::spawn_blocking(move || command.output().expect("the sample runs"));
    let output = Output::from(run.await.expect("no panic"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_stream_and_cancel() {
    let daemon = daemon().await;
    let basic = output(sample(&daemon, "client-basic")).await;
    assert!(basic.starts_with("ababab\n"), "{basic}");
    assert!(basic.contains("AppError ValueError"), "{basic}");
    assert!(basic.contains("raise ValueError(message)"), "{basic}");

    let stream = output(sample(&daemon, "client-stream")).await;
    assert_eq!(
        stream.lines().collect::<Vec<_>>(),
        ["Int(0)", "Int(1)", "Int(2)", "Int(3)", "Int(4)"]
    );

    let mut cancel = sample(&daemon, "client-cancel");
    cancel.arg(daemon.path("closed"));
    let cancel = output(cancel).await;
    assert!(cancel.starts_with("too slow: "), "{cancel}");
    assert!(cancel.ends_with("the worker is free again\n"), "{cancel}");
    daemon.seen("closed").await;
}

/// Killed with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_sample_streams_events_and_stops_when_the_browser_leaves() {
    let daemon = daemon().await;
    let child = sample(&daemon, "client-web").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut server = Server(child);
    let (mark, stdout) = (daemon.path("closed"), server.0.stdout.take().expect("piped"));
    let browse = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("its address");
        let address = line.trim().strip_prefix("http://").expect("a URL").to_owned();
        let get = |path: &str| {
            let mut browser = TcpStream::connect(&address).expect("it listens");
            let close = "Host: localhost\r\nConnection: close\r\n\r\n";
            browser.write_all(format!("GET {path} HTTP/1.1\r\n{close}").as_bytes()).expect("sent");
            browser
        };
        let mut page = String::new();
        get("/").read_to_string(&mut page).expect("the page");
        assert!(page.contains("EventSource"), "{page}");
        let path = format!("/events?limit=1000000&mark={}", mark.display());
        let events = BufReader::new(get(&path)).lines().map(|line| line.expect("a line"));
        let data: Vec<String> = events.filter(|line| line.starts_with("data:")).take(3).collect();
        assert_eq!(data, ["data: 0", "data: 1", "data: 2"]);
    });
    browse.await.expect("the browser saw what it should");
    daemon.seen("closed").await;
}
