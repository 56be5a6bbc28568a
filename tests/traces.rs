//! Traces: from a caller's span through the arbiter to what the action sees.

use dirtyd_client::{Client, Value, args};
use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::{
    metrics::v1::metric::Data,
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};

use crate::support::{
    Daemon,
    collector::{Came, Collector, Speaks},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// An app whose stream shows the span that OpenTelemetry has as the current one.
const SEES: &str = "
from dirtyd import DirtyApp
from opentelemetry import trace


class Sees(DirtyApp):
    def stream(self):
        for _ in range(3):
            span = trace.get_current_span().get_span_context()
            yield f'{span.trace_id:032x} {span.span_id:016x} {span.trace_flags.sampled}'
";

fn config(collector: &Collector, protocol: &str, more: &str) -> String {
    format!(
        "{more}\n[observe]\notlp_endpoint = \"{}\"\notlp_protocol = \"{protocol}\"\n[[app]]\npath = \"lab:Lab\"\n",
        collector.url()
    )
}

fn traced(daemon: &Daemon, flags: &str) -> Client {
    daemon.client().with_metadata("traceparent", format!("00-{TRACE}-{PARENT}-{flags}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for this number of spans.
fn spans(collector: &Collector, number: usize) -> Vec<Span> {
    tokio::task::block_in_place(|| collector.spans(number))
}

/// The spans of one call: itself, its queue, its run.
fn of_call(spans: &[Span]) -> [&Span; 3] {
    let [server, queue, run] = spans else { panic!("{spans:?}") };
    assert_eq!(server.kind(), SpanKind::Server);
    assert_eq!((queue.name.as_str(), run.name.as_str()), ("queue", "run"));
    assert_eq!((hex(&server.trace_id), hex(&server.parent_span_id)), (TRACE.into(), PARENT.into()));
    for part in [queue, run] {
        assert_eq!((&part.trace_id, &part.parent_span_id), (&server.trace_id, &server.span_id));
    }
    assert_eq!(queue.end_time_unix_nano, run.start_time_unix_nano);
    [server, queue, run]
}

fn events(span: &Span) -> Vec<&str> {
    span.events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_below_its_run_below_the_call_below_its_caller() {
    let collector = Collector::start(Speaks::Grpc, []);
    let daemon = Daemon::start(&config(&collector, "grpc", "")).await;
    let client =
        traced(&daemon, "01").with_metadata("tracestate", "a=b").with_metadata("baggage", "k=v");
    let seen = client.execute("lab:Lab", "facts", args![]).await.expect("facts");
    let spans = spans(&collector, 3);
    let [server, _, run] = of_call(&spans);
    assert_eq!(server.name, "lab:Lab/facts");
    assert_eq!(server.status, None);
    let seen = format!("{seen:?}");
    let expected = format!("00-{TRACE}-{}-01", hex(&run.span_id));
    for entry in [expected.as_str(), "a=b", "k=v"] {
        assert!(seen.contains(entry), "{entry} in {seen}");
    }
    assert!(!seen.contains(PARENT), "one traceparent: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_traced_until_its_end_and_knows_its_first_chunk() {
    let collector = Collector::start(Speaks::Http, []);
    let config = config(&collector, "http", "").replace("lab:Lab", "sees:Sees");
    let daemon = Daemon::launch_with(&config, &[("sees.py", SEES)]).await;
    daemon.ready().await;
    let client = traced(&daemon, "01");
    let mut stream = client.stream("sees:Sees", "stream", args![]).await.expect("a stream");
    let mut seen = Vec::new();
    while let Some(chunk) = stream.next().await {
        seen.push(chunk.expect("a chunk"));
    }
    let spans = spans(&collector, 3);
    let [server, _, run] = of_call(&spans);
    let expected = Value::from(format!("{TRACE} {} True", hex(&run.span_id)));
    assert_eq!(seen, [expected.clone(), expected.clone(), expected]);
    assert_eq!(events(run), ["first chunk"]);
    let first = run.events[0].time_unix_nano;
    assert!((run.start_time_unix_nano..=server.end_time_unix_nano).contains(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_and_a_cancel_are_told_with_their_reasons() {
    let collector = Collector::start(Speaks::Grpc, []);
    let daemon = Daemon::start(&config(&collector, "grpc", "")).await;
    let client = traced(&daemon, "01");
    client.execute("lab:Lab", "fail", args!["secret"]).await.expect_err("it raised");
    let failed = spans(&collector, 3);
    let [server, _, run] = of_call(&failed);
    for span in [server, run] {
        let status = span.status.as_ref().expect("a status");
        assert_eq!((status.code(), status.message.as_str()), (StatusCode::Error, "APP_ERROR"));
    }
    assert!(!format!("{failed:?}").contains("secret"), "what the app said stays here");

    let leaving =
        tokio::spawn(async move { client.execute("lab:Lab", "patient", args!["leaves"]).await });
    daemon.seen("leaves.started").await;
    leaving.abort();
    daemon.seen("leaves.cancelled").await;
    let all = spans(&collector, 6);
    let [server, _, run] = of_call(&all[3..]);
    assert_eq!((events(run), &server.status), (vec!["cancel"], &None));
    assert!(run.end_time_unix_nano >= server.end_time_unix_nano, "the work ended after that");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_ladder_does_to_the_work_is_in_its_run() {
    let collector = Collector::start(Speaks::Grpc, []);
    let more = "timeout = \"700ms\"\nkill_grace = \"400ms\"";
    let daemon = Daemon::start(&config(&collector, "grpc", more)).await;
    let call = traced(&daemon, "01").execute("lab:Lab", "swallow", args![]).await;
    call.expect_err("its time is over");
    let spans = spans(&collector, 3);
    let [server, _, run] = of_call(&spans);
    let mut events = events(run);
    events.sort_unstable();
    assert_eq!(events, ["dump stacks", "kill", "raise", "timeout"]);
    assert!(run.end_time_unix_nano > server.end_time_unix_nano, "it went on after the answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_traces_has_no_span_and_its_metadata_as_it_came() {
    let collector = Collector::start(Speaks::Grpc, []);
    let daemon = Daemon::start(&config(&collector, "grpc", "")).await;
    let facts = async |client: Client| {
        let facts = client.execute("lab:Lab", "facts", args![]).await;
        format!("{:?}", facts.expect("facts"))
    };
    assert!(!facts(daemon.client()).await.contains("traceparent"));
    let seen = facts(traced(&daemon, "00")).await;
    assert!(seen.contains(&format!("00-{TRACE}-{PARENT}-00")), "{seen}");
    let malformed = daemon.client().with_metadata("traceparent", "00-zz");
    assert!(facts(malformed).await.contains("00-zz"));
    facts(traced(&daemon, "01")).await;
    // They are sent in order, so what came before the one that is traced would be here.
    of_call(&spans(&collector, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_a_trace_begin_one_if_they_are_sampled() {
    let collector = Collector::start(Speaks::Grpc, []);
    let config =
        config(&collector, "grpc", "").replace("[observe]", "[observe]\ntrace_sample = 1.0");
    let daemon = Daemon::start(&config).await;
    daemon.client().execute("lab:Lab", "echo", args![]).await.expect("echo");
    let spans = spans(&collector, 3);
    assert!(spans[0].parent_span_id.is_empty() && spans[0].trace_id != [0; 16]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_collector_holds_up_no_call_and_no_drain() {
    let collector = Collector::stalled(Speaks::Grpc);
    let mut daemon = Daemon::start(&config(&collector, "grpc", "")).await;
    for number in 0..100 {
        let echo = traced(&daemon, "01").execute("lab:Lab", "echo", args![number]).await;
        assert_eq!(echo.expect("echo"), Value::from(number));
    }
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    assert!(daemon.log().contains("drained; the dirty arbiter exits"), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_end_is_sent_before_it() {
    let collector = Collector::start(Speaks::Grpc, []);
    let mut daemon = Daemon::start(&config(&collector, "grpc", "")).await;
    traced(&daemon, "01").execute("lab:Lab", "echo", args![]).await.expect("echo");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().await.success());
    of_call(&spans(&collector, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_sent_again_and_again() {
    let collector = Collector::start(Speaks::Http, []);
    let config = config(&collector, "http", "");
    let config = config.replace("[observe]", "[observe]\notlp_metrics_interval = \"100ms\"");
    let daemon = Daemon::start(&config).await;
    traced(&daemon, "01").execute("lab:Lab", "echo", args![]).await.expect("echo");
    let calls = |came: &Came| {
        let metrics = came.metrics.iter().flat_map(|request| &request.resource_metrics);
        let metrics = metrics.flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
        let mut durations = metrics.filter(|metric| metric.name == "rpc.server.call.duration");
        durations.next_back().cloned().and_then(|metric| match metric.data {
            Some(Data::Histogram(histogram)) => histogram.data_points.into_iter().next(),
            _ => None,
        })
    };
    let point = tokio::task::block_in_place(|| collector.until("a call in the metrics", calls));
    assert_eq!(point.count, 1);
    assert_eq!(hex(&point.exemplars[0].trace_id), TRACE, "it leads to its trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_an_error_at_the_start() {
    let app = "[[app]]\npath = \"lab:Lab\"\n";
    for (key, value) in [
        ("access_log_file", "\"nowhere/access.log\"\naccess_log = \"all\""),
        ("otlp_endpoint", "\"http://user:secret@127.0.0.1:4317\""),
    ] {
        let mut daemon = Daemon::begin(&format!("[observe]\n{key} = {value}\n{app}"), &[]);
        assert!(!daemon.ended().await.success());
        let log = daemon.log();
        assert!(log.contains(&format!("{key}: ")) && !log.contains("secret"), "{log}");
        assert!(!log.contains("started the dirty arbiter"), "{log}");
    }
}
