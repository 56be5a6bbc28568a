//! The samples of `clients/rust`, as a user runs them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use crate::support::{Daemon, Output, example, repository};

/// The daemon that the samples ask for.
async fn daemon() -> Daemon {
    let samples = repository().join("clients/rust/samples");
    let config = std::fs::read_to_string(samples.join("dirtyd.toml")).expect("the samples' file");
    Daemon::start(&format!("chdir = {samples:?}\n{config}")).await
}

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
    let told = "total 3\ntotal 7\nrefused: cannot add -1 InvalidArgument\nTraceback";
    assert!(basic.starts_with(told), "{basic}");
    assert!(basic.contains("raise OnlyUpwards"), "{basic}");

    let stream = output(sample(&daemon, "client-stream")).await;
    assert_eq!(stream, "to\nbe\nor\nnot\nto\nbe\n");

    let cancel = output(sample(&daemon, "client-cancel")).await;
    assert_eq!(cancel, "number 0\nnumber 1\nnumber 2\nended 1\ngave up\nended 2\n");
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
    let mut command = sample(&daemon, "client-web");
    let child = command.arg("0").stdout(Stdio::piped()).spawn().expect("it starts");
    let mut server = Server(child);
    let stdout = server.0.stdout.take().expect("piped");
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
        assert!(page.contains("new EventSource(\"tokens"), "{page}");
        let events = BufReader::new(get("/tokens?prompt=hi")).lines();
        let mut lines = events.map(|line| line.expect("a line"));
        assert!(lines.any(|line| line == "content-type: text/event-stream"));
        let data: Vec<String> = lines.filter(|line| line.starts_with("data:")).take(3).collect();
        assert_eq!(data, ["data: hi-0", "data: hi-1", "data: hi-2"]);
    });
    browse.await.expect("the browser saw what it should");
    // By itself the generator would end with token 999, and a buffer of 4 KiB would
    // have shown nothing before token 300.
    daemon.logged("the generator ended with token").await;
    let log = daemon.log();
    let told = log.split("the generator ended with token ").nth(1).expect("what it printed");
    let last: u32 = told.split_whitespace().next().and_then(|word| word.parse().ok()).expect(told);
    assert!((2..200).contains(&last), "{last}");
}
