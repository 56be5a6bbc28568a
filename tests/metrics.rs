//! What `/metrics` says is what happened.

use std::{collections::BTreeMap, fs, time::Duration};

use dirtyd_client::{Client, Error, Reason, args};
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::span::SpanKind};
use tokio::{io::AsyncWriteExt as _, net::UnixStream};

use crate::support::{
    Daemon, LIMIT, app,
    collector::{Came, Collector, Speaks},
    eventually,
    metrics::{Samples, get},
    pids, repository, signal, together,
};

const CONFIG: &str =
    "max_queue = 2\nkill_grace = 1\ntimeout = 20\nmax_restarts = 100\n[[app]]\npath = \"lab:Lab\"";

async fn scrape(daemon: &Daemon) -> Samples {
    let (status, _, text) = get(&daemon.socket(), "/metrics", "").await;
    assert_eq!(status, 200, "{text}");
    Samples::of(text)
}

/// Waits until the metrics are as wanted.
async fn until(daemon: &Daemon, what: &str, wanted: impl Fn(&Samples) -> bool) -> Samples {
    eventually(LIMIT, what, async || Some(scrape(daemon).await).filter(&wanted)).await
}

fn ended(samples: &Samples, reason: &str) -> f64 {
    samples.sum("dirtyd_calls_total", &[("reason", reason)])
}

/// What a caller saw.
fn seen(outcome: &Result<dirtyd_client::Value, Error>) -> String {
    match outcome {
        Ok(_) => "OK".to_owned(),
        Err(Error::Call(failure)) => match &failure.reason {
            Reason::AppNotFound => "APP_NOT_FOUND".to_owned(),
            Reason::ActionNotFound => "ACTION_NOT_FOUND".to_owned(),
            Reason::AppError => "APP_ERROR".to_owned(),
            Reason::ResultNotSerializable => "RESULT_NOT_SERIALIZABLE".to_owned(),
            Reason::ActionStreams => "ACTION_STREAMS".to_owned(),
            Reason::QueueFull => "QUEUE_FULL".to_owned(),
            Reason::MessageTooLarge => "MESSAGE_TOO_LARGE".to_owned(),
            Reason::QueueTimeout => "QUEUE_TIMEOUT".to_owned(),
            Reason::ExecutionTimeout => "EXECUTION_TIMEOUT".to_owned(),
            Reason::NoWorkers => "NO_WORKERS".to_owned(),
            Reason::WorkerCrashed => "WORKER_CRASHED".to_owned(),
            other => format!("{other:?}"),
        },
        Err(other) => format!("{other:?}"),
    }
}

/// One thing of the campaign; returns what its callers saw.
async fn play(daemon: &Daemon, deed: usize) -> Vec<String> {
    let client = daemon.client();
    let call = async |client: &Client, action: &str| {
        seen(&client.execute("lab:Lab", action, args!["x"]).await)
    };
    match deed {
        0 => vec![call(&client, "echo").await],
        1 => vec![call(&client, "fail").await],
        2 => vec![call(&client, "no_such_action").await],
        3 => vec![seen(&client.execute("lab:Nobody", "echo", args![]).await)],
        4 => vec![call(&client, "unserialisable").await],
        5 => vec![seen(&client.execute("lab:Lab", "count", args![3]).await)],
        6 => {
            // The deadline passes while it runs.
            let hurried = client.with_timeout(Duration::from_millis(50));
            let late = seen(&hurried.execute("lab:Lab", "sleep", args![0.3]).await);
            daemon.until("it has ended", |status| status.workers[0].in_flight == 0).await;
            // The client and the arbiter both keep the deadline; whoever is first, the reason
            // is the same.
            assert!(late == "EXECUTION_TIMEOUT" || late.contains("Deadline"), "{late}");
            vec!["EXECUTION_TIMEOUT".to_owned()]
        }
        7 => {
            // One runs, two wait, one finds no room; then one leaves the queue.
            let door = format!("door{}", fastrand::u32(..));
            let held = door.clone();
            let first = client.clone();
            let running =
                tokio::spawn(async move { first.execute("lab:Lab", "hold", args![held]).await });
            daemon.seen(&format!("{door}.started")).await;
            let waiting = daemon.calling("echo", args![1]);
            daemon.until("one waits", |status| app(status, "lab:Lab").queued == 1).await;
            let leaving = daemon.calling("echo", args![2]);
            daemon.until("two wait", |status| app(status, "lab:Lab").queued == 2).await;
            let refused = seen(&client.execute("lab:Lab", "echo", args![3]).await);
            leaving.abort();
            daemon.until("one has left", |status| app(status, "lab:Lab").queued == 1).await;
            daemon.touch(&door);
            let ends = [running.await, waiting.await].map(|end| seen(&end.expect("no panic")));
            [ends.to_vec(), vec![refused, "CANCELLED".to_owned()]].concat()
        }
        8 => {
            // The caller of a running call leaves.
            let name = format!("work{}", fastrand::u32(..));
            let own = name.clone();
            let first = client.clone();
            let running =
                tokio::spawn(async move { first.execute("lab:Lab", "patient", args![own]).await });
            daemon.seen(&format!("{name}.started")).await;
            running.abort();
            daemon.seen(&format!("{name}.cancelled")).await;
            vec!["CANCELLED".to_owned()]
        }
        9 => {
            let crashed = call(&client, "die").await;
            daemon.ready().await;
            vec![crashed]
        }
        10 => {
            let mut stream = client.stream("lab:Lab", "count", args![5]).await.expect("a stream");
            while let Some(chunk) = stream.next().await {
                chunk.expect("a chunk");
            }
            vec!["OK".to_owned()]
        }
        _ => {
            let mut stream = client.stream("lab:Lab", "ticks", args!["t"]).await.expect("a stream");
            stream.next().await.expect("a chunk").expect("no error");
            drop(stream);
            daemon.until("it has ended", |status| status.workers[0].in_flight == 0).await;
            vec!["CANCELLED".to_owned()]
        }
    }
}

/// How many calls have a reason, by what a line or a span says.
fn by_reason(reasons: impl Iterator<Item = String>) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    reasons.for_each(|reason| *counts.entry(reason).or_default() += 1.0);
    counts
}

/// The reasons of the lines of the access log.
fn lines(daemon: &Daemon) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(daemon.path("access.log")).unwrap_or_default();
    by_reason(text.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("an object");
        line["reason"].as_str().expect("a reason").to_owned()
    }))
}

/// The reasons of the spans of calls.
fn spans(came: &Came) -> BTreeMap<String, f64> {
    let calls = came.spans().into_iter().filter(|span| span.kind() == SpanKind::Server);
    by_reason(calls.filter_map(|span| {
        let reason = span.attributes.iter().find(|entry| entry.key == "dirtyd.reason")?;
        match reason.value.clone()?.value? {
            Value::StringValue(reason) => Some(reason),
            other => panic!("{other:?}"),
        }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_appears_once_under_what_its_caller_saw_in_metrics_log_and_traces() {
    let collector = Collector::start(Speaks::Grpc, []);
    let daemon = Daemon::start(&format!(
        "{CONFIG}\n[observe]\naccess_log = \"all\"\naccess_log_format = \"json\"\naccess_log_file = \"access.log\"\ntrace_sample = 1.0\notlp_endpoint = \"{}\"",
        collector.url()
    ))
    .await;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut deeds: Vec<usize> = (0..12).chain((0..8).map(|_| random.usize(..12))).collect();
    random.shuffle(&mut deeds);
    let mut expected = BTreeMap::<String, f64>::new();
    for deed in &deeds {
        for reason in play(&daemon, *deed).await {
            *expected.entry(reason).or_default() += 1.0;
        }
    }
    let all: f64 = expected.values().sum();
    let story = format!("seed {seed}: {deeds:?}");
    let samples = until(&daemon, &format!("all have ended; {story}"), |samples| {
        samples.sum("dirtyd_calls_total", &[]) >= all
    })
    .await;
    for (reason, calls) in &expected {
        assert_eq!(ended(&samples, reason), *calls, "{reason}; {story}\n{}", samples.text);
    }
    assert_eq!(samples.sum("dirtyd_calls_total", &[]), all, "{story}\n{}", samples.text);
    let timed = samples.sum("rpc_server_call_duration_seconds_count", &[]);
    assert_eq!(timed, all, "each has one duration; {story}");
    assert_eq!(samples.sum("dirtyd_running_calls", &[]), 0.0, "{story}");
    assert_eq!(samples.sum("dirtyd_queue_calls", &[]), 0.0, "{story}");
    let all_lines = async || {
        let lines = lines(&daemon);
        (lines.values().sum::<f64>() >= all).then_some(lines)
    };
    assert_eq!(eventually(LIMIT, "all lines", all_lines).await, expected, "lines; {story}");
    let told = tokio::task::block_in_place(|| {
        collector.until("all calls are traced", |came| {
            let spans = spans(came);
            (spans.values().sum::<f64>() >= all).then_some(spans)
        })
    });
    assert_eq!(told, expected, "spans; {story}");
}

/// Whoever watches and reads nothing.
async fn stuck(socket: &std::path::Path, path: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket).await.expect("connect");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("write");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_do_not_notice_who_watches_and_is_stuck() {
    let collector = Collector::stalled(Speaks::Http);
    let daemon = Daemon::start(&format!(
        "[[app]]\npath = \"lab:Lab\"\n[observe]\nlisten = \"console.sock\"\naccess_log = \"all\"\naccess_log_file = \"/dev/full\"\ntrace_sample = 1.0\notlp_protocol = \"http\"\notlp_endpoint = \"{}\"",
        collector.url()
    ))
    .await;
    daemon.logged("the live page are at unix:").await;
    let console = daemon.path("console.sock");
    let mut watchers = Vec::new();
    for _ in 0..100 {
        watchers.push(stuck(&console, "/feed").await);
    }
    for _ in 0..20 {
        watchers.push(stuck(&console, "/metrics").await);
    }
    let client = daemon.client();
    for number in 0..300 {
        let echoed = client.execute("lab:Lab", "echo", args![number]).await;
        assert_eq!(echoed.expect("a call like any other"), dirtyd_client::Value::from(number));
    }
    let full = [("of", "access_log")];
    let samples = until(&daemon, "the lines are counted that had no room", |samples| {
        samples.sum("dirtyd_observation_dropped_total", &full) > 0.0
    })
    .await;
    assert_eq!(ended(&samples, "OK"), 300.0);
    drop(watchers);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_and_waits_is_beside_its_limits() {
    let daemon = Daemon::start(CONFIG).await;
    let holding = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    let waiting = daemon.calling("echo", args![1]);
    let of_app = [("app", "lab:Lab"), ("pool", "default")];
    let busy = until(&daemon, "one waits", |s| s.sum("dirtyd_queue_calls", &of_app) == 1.0).await;
    for (name, value) in [
        ("dirtyd_queue_calls_limit", 2.0),
        ("dirtyd_running_calls", 1.0),
        ("dirtyd_app_workers", 1.0),
        ("dirtyd_app_failed", 0.0),
    ] {
        assert_eq!(busy.sum(name, &of_app), value, "{name}");
    }
    let of_pool = [("pool", "default")];
    for (name, value) in
        [("dirtyd_slots", 1.0), ("dirtyd_slots_busy", 1.0), ("dirtyd_slots_abandoned", 0.0)]
    {
        assert_eq!(busy.sum(name, &of_pool), value, "{name}");
    }
    assert!(busy.sum("dirtyd_queue_size_bytes", &of_app) > 0.0);
    assert!(busy.sum("dirtyd_worker_resident_memory_bytes", &[("seat", "0")]) > 0.0);
    assert!(busy.value("dirtyd_connections") >= 1.0);
    assert_eq!(busy.value("dirtyd_connections_limit"), 4096.0);
    holding.abort();
    until(&daemon, "it is abandoned", |s| s.sum("dirtyd_slots_abandoned", &of_pool) == 1.0).await;
    daemon.touch("door");
    waiting.await.expect("no panic").expect("echo");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_callers_make_up_add_no_series() {
    let daemon = Daemon::start("[[app]]\npath = \"lab:Lab\"").await;
    daemon.client().execute("lab:Lab", "echo", args![1]).await.expect("echo");
    let before = scrape(&daemon).await;
    let calls = (0..16).map(|part| {
        let client = daemon.connect().with_metadata("x-hostile", "\"}\\ {=");
        async move {
            for number in 0..60 {
                let name = format!("made up {part} {number} \"}}\\");
                for (app, action) in [("lab:Lab", &name), (name.as_str(), &"echo".to_owned())] {
                    client.execute(app, action, args![]).await.expect_err("no such thing");
                }
            }
        }
    });
    together(calls).await.expect("no panic");
    let after = scrape(&daemon).await;
    assert_eq!(ended(&after, "APP_NOT_FOUND"), 960.0);
    assert_eq!(after.sum("dirtyd_calls_total", &[("action", "_OTHER")]), 1920.0);
    let more = after.len() - before.len();
    assert!(more < 200, "{more} series more, for three further outcomes\n{}", after.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_counter_falls_and_no_series_comes_when_workers_are_replaced() {
    let daemon = Daemon::start(CONFIG).await;
    daemon.client().execute("lab:Lab", "echo", args![1]).await.expect("echo");
    let mut before = scrape(&daemon).await;
    for round in 1..=4 {
        let old = pids(&daemon.status().await);
        match round % 2 {
            0 => signal(old[0], Signal::SIGKILL),
            _ => daemon.signal(Signal::SIGHUP),
        }
        daemon
            .until("another worker serves", |status| {
                status.workers.len() == 1
                    && status.workers[0].pid != old[0]
                    && status.workers[0].state == 2
            })
            .await;
        let after = until(&daemon, "the old one is gone", |samples| {
            samples.sum("dirtyd_worker_deaths_total", &[]) >= f64::from(round)
        })
        .await;
        for (series, value) in before.series() {
            let name = series.split('{').next().expect("a name");
            if name.ends_with("_total") || name.ends_with("_count") || name.ends_with("_bucket") {
                assert!(after.value(series) >= value, "{series} fell from {value}\n{}", after.text);
            }
        }
        assert_eq!(after.len(), before.len(), "round {round}\n{}", after.text);
        before = after;
    }
    assert_eq!(before.sum("dirtyd_worker_deaths_total", &[("cause", "signal")]), 2.0);
    assert_eq!(before.sum("dirtyd_worker_deaths_total", &[("cause", "requested")]), 2.0);
    assert_eq!(before.sum("dirtyd_worker_starts_total", &[]), 5.0);
    assert_eq!(before.sum("dirtyd_worker_boot_seconds_count", &[]), 5.0);
    assert_eq!(before.value("dirtyd_reloads_total"), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_format_is_what_was_asked_for() {
    let daemon = Daemon::start(CONFIG).await;
    let socket = daemon.socket();
    let (_, head, text) =
        get(&socket, "/metrics", "accept: application/openmetrics-text\r\n").await;
    assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    let (_, head, _) = get(&socket, "/metrics", "accept: */*\r\n").await;
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_by_plain_http_too() {
    let daemon = Daemon::launch("[[app]]\npath = \"nobody:App\"").await;
    let socket = daemon.socket();
    assert_eq!(get(&socket, "/healthz", "").await.0, 200);
    let (status, _, text) = get(&socket, "/readyz", "").await;
    assert_eq!(
        (status, text.as_str()),
        (503, "not ready: no app can be served\nnobody:App: not served\n")
    );
    let daemon = Daemon::start(CONFIG).await;
    let (status, _, text) = get(&daemon.socket(), "/readyz", "").await;
    assert_eq!((status, text.as_str()), (200, "ready\nlab:Lab: served\n"));
}

/// The console, on a Unix socket.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_serves_until_the_drain_is_over_and_asks_for_its_token() {
    let config = format!(
        "graceful_timeout = 20\n{CONFIG}\n[observe]\nlisten = \"console.sock\"\ntoken_file = \"token\""
    );
    let mut daemon = Daemon::launch_with(&config, &[("token", "0123456789abcdef\n")]).await;
    let console = daemon.path("console.sock");
    daemon.ready().await;
    daemon.logged("the live page are at unix:").await;
    let (status, head, _) = get(&console, "/metrics", "").await;
    assert_eq!(status, 401);
    assert!(head.to_lowercase().contains("www-authenticate: basic"), "{head}");
    assert_eq!(get(&console, "/readyz", "").await.0, 200, "probes know no token");
    let bearer = "authorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(get(&console, "/metrics", bearer).await.0, 200);
    assert_eq!(get(&console, "/nothing", bearer).await.0, 404);

    let holding = daemon.calling("hold", args!["door"]);
    daemon.seen("door.started").await;
    daemon.signal(Signal::SIGTERM);
    let drains =
        async || Some(get(&console, "/readyz", "").await.0).filter(|status| *status == 503);
    eventually(LIMIT, "it says that it drains", drains).await;
    let (_, _, text) = get(&console, "/metrics", bearer).await;
    assert_eq!(Samples::of(text).value("dirtyd_draining"), 1.0);
    daemon.touch("door");
    holding.await.expect("no panic").expect("hold");
    assert!(daemon.ended().await.success());
    assert!(!console.exists(), "its file is gone");
}

/// What apps count, and how it is shown.
const COUNTING: &str = "
import os
from dirtyd import DirtyApp, metrics

tokens = metrics.counter('tokens', 'Tokens that were generated')
loaded = metrics.gauge('models_loaded', 'Models in memory')
prompt = metrics.histogram('prompt_bytes', 'Sizes of prompts', unit='bytes', bounds=(10, 100))

class App(DirtyApp):
    def init(self):
        loaded.set(2)

    def generate(self, count, model):
        tokens.inc(count, model=model)
        prompt.observe(count)
        return os.getpid()
";

#[tokio::test(flavor = "multi_thread")]
async fn what_apps_count_is_added_up_and_survives_their_workers() {
    let config = "workers = 2\nmax_restarts = 100\n[[app]]\npath = \"counting:App\"";
    let daemon = Daemon::launch_with(config, &[("counting.py", COUNTING)]).await;
    daemon.ready().await;
    let client = daemon.client();
    let generate = async |count: i64| {
        client.execute("counting:App", "generate", args![count, "small"]).await.expect("a pid")
    };
    for _ in 0..5 {
        generate(3).await;
    }
    let counted = until(&daemon, "all are counted", |samples| {
        samples.value("tokens_total{model=\"small\"}") == 15.0
            && samples.value("models_loaded") == 4.0
    })
    .await;
    assert!(counted.text.contains("# HELP tokens_total Tokens that were generated."));
    assert_eq!(counted.value("prompt_bytes_bucket{le=\"10\"}"), 5.0);
    assert_eq!(counted.value("prompt_bytes_sum"), 15.0);
    assert_eq!(counted.value("dirtyd_observation_dropped_total{of=\"app_metrics\"}"), 0.0);

    let old = pids(&daemon.status().await);
    signal(old[0], Signal::SIGKILL);
    daemon
        .until("both serve again", |status| {
            status.workers.len() == 2
                && status.workers.iter().all(|w| w.state == 2 && w.pid != old[0])
        })
        .await;
    generate(100).await;
    let counted = until(&daemon, "the next is counted", |samples| {
        samples.value("tokens_total{model=\"small\"}") == 115.0
            && samples.value("models_loaded") == 4.0
    })
    .await;
    assert_eq!(counted.value("prompt_bytes_count"), 6.0);
}

/// The rows of docs/metrics.md: name, type and labels.
fn documented() -> BTreeMap<String, (String, String)> {
    let page = fs::read_to_string(repository().join("docs/metrics.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells =
        rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let bare = |cell: &str| cell.trim_matches('`').to_owned();
    let row = |cells: Vec<&str>| {
        assert_eq!(cells.len(), 5, "{cells:?}");
        let labels = cells[3].replace(['`', ' '], "").replace("none", "");
        (bare(cells[0]), (cells[1].to_owned(), labels))
    };
    cells.map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_every_metric_as_it_is() {
    let daemon = Daemon::start(CONFIG).await;
    let client = daemon.client();
    client.execute("lab:Lab", "fail", args!["x"]).await.expect_err("it fails");
    let mut stream = client.stream("lab:Lab", "count", args![1]).await.expect("a stream");
    while let Some(chunk) = stream.next().await {
        chunk.expect("a chunk");
    }
    let samples = scrape(&daemon).await;
    let mut shown = BTreeMap::new();
    for line in samples.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        let is_of = |series: &str| {
            let series = series.split('{').next().expect("a name");
            ["", "_count"].iter().any(|suffix| series == format!("{name}{suffix}"))
        };
        let labels = samples.series().filter(|(series, _)| is_of(series));
        let labels = labels.map(|(series, _)| series).max_by_key(|series| series.len());
        let inside = labels.and_then(|series| series.split_once('{'));
        let inside = inside.map_or("", |(_, labels)| labels.trim_end_matches('}'));
        let names = inside.split("\",").filter_map(|label| label.split_once('=').map(|(n, _)| n));
        shown.insert(name.to_owned(), (kind.to_owned(), names.collect::<Vec<_>>().join(",")));
    }
    let documented = documented();
    for (name, as_shown) in &shown {
        assert_eq!(documented.get(name), Some(as_shown), "docs/metrics.md: `{name}`");
    }
    let others: Vec<_> = documented.keys().filter(|name| !shown.contains_key(*name)).collect();
    assert_eq!(others, [""; 0], "docs/metrics.md");
}
