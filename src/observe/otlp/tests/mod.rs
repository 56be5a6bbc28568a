//! The exporter against a collector that takes what comes, or does not.

#[path = "../../../../tests/support/collector.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod collector;

use std::{net::TcpListener, time::Duration};

use super::*;
use crate::{
    call::Peer,
    config::OtlpProtocol,
    observe::{
        family::{Kind, Series, Value},
        sample::record,
    },
};
use collector::{Answer, Collector, Speaks};

const BOTH: [Speaks; 2] = [Speaks::Grpc, Speaks::Http];

fn start(url: String, speaks: Speaks) -> Exporter {
    let protocol = match speaks {
        Speaks::Grpc => OtlpProtocol::Grpc,
        Speaks::Http => OtlpProtocol::Http,
    };
    let metrics_interval = Duration::ZERO;
    let config = OtlpConfig { endpoint: url, protocol, trace_sample: 1.0, metrics_interval };
    Exporter::start(&config, Resource::of_process("ml")).expect("it starts")
}

fn call() -> TracedCall {
    TracedCall::of(&record(&Peer::Unknown)).expect("it is sampled")
}

fn finish(exporter: &Exporter) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(exporter.finish());
    assert!(exporter.ended.has_changed().is_err(), "the thread has ended");
}

fn dropped(exporter: &Exporter) -> Vec<(&'static str, u64)> {
    let all = Reason::ALL.map(|reason| (reason.name(), exporter.dropped(reason)));
    all.into_iter().filter(|(_, spans)| *spans > 0).collect()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < limit, "{what}");
        thread::yield_now();
    }
}

#[test]
fn a_call_arrives_as_its_spans_with_who_sent_them() {
    for speaks in BOTH {
        let collector = Collector::start(speaks, []);
        let exporter = start(collector.url(), speaks);
        exporter.send(call());
        assert_eq!(collector.spans(3), spans::spans(&call()), "{speaks:?}");
        let resource =
            collector.until("a resource", |came| came.traces[0].resource_spans[0].resource.clone());
        let named = attribute::text("service.name", "ml");
        assert!(resource.attributes.contains(&named), "{resource:?}");
        finish(&exporter);
        assert_eq!(dropped(&exporter), []);
    }
}

#[test]
fn metrics_arrive_with_when_they_began_to_count() {
    for speaks in BOTH {
        let collector = Collector::start(speaks, []);
        let exporter = start(collector.url(), speaks);
        let series = vec![Series { labels: Vec::new(), value: Value::Whole(7) }];
        let (name, help) = ("dirtyd_calls".into(), "Calls".into());
        exporter.metrics(vec![Family { name, help, unit: "".into(), series, kind: Kind::Counter }]);
        let metric = collector.until("metrics", |came| {
            let request = came.metrics.first()?;
            Some(request.resource_metrics[0].scope_metrics[0].metrics[0].clone())
        });
        assert_eq!(metric.name, "dirtyd_calls", "{speaks:?}");
        let Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Sum(sum)) = metric.data
        else {
            panic!("{metric:?}")
        };
        let point = &sum.data_points[0];
        assert!(
            0 < point.start_time_unix_nano && point.start_time_unix_nano <= point.time_unix_nano
        );
    }
}

#[test]
fn many_calls_are_sent_in_batches() {
    for speaks in BOTH {
        let collector = Collector::start(speaks, []);
        let exporter = start(collector.url(), speaks);
        (0..1000).for_each(|_| exporter.send(call()));
        collector.spans(3000);
        let sizes = collector.until("requests", |came| {
            let size = |request: &opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest| {
                request.resource_spans[0].scope_spans[0].spans.len()
            };
            Some(came.traces.iter().map(size).collect::<Vec<_>>())
        });
        assert!(sizes.iter().all(|size| *size <= 512) && sizes.len() < 20, "{sizes:?}");
        assert_eq!((sizes.iter().sum::<usize>(), dropped(&exporter)), (3000, vec![]));
    }
}

#[test]
fn what_a_busy_collector_does_not_take_is_sent_again() {
    let soon = Some(Duration::from_millis(1));
    for (speaks, answers) in [
        (Speaks::Grpc, [Answer::Code(14, None), Answer::Code(8, soon)]),
        (Speaks::Http, [Answer::Status(503, None), Answer::Status(429, Some("0"))]),
    ] {
        let collector = Collector::start(speaks, answers);
        let exporter = start(collector.url(), speaks);
        exporter.send(call());
        collector.spans(3);
        let requests = collector.until("requests", |came| Some(came.requests));
        assert_eq!((requests, dropped(&exporter)), (3, vec![]), "{speaks:?}");
    }
}

#[test]
fn what_a_collector_refuses_is_dropped_and_the_next_is_sent() {
    for (speaks, refusal, lost) in [
        (Speaks::Grpc, Answer::Code(3, None), 3),
        (Speaks::Grpc, Answer::Code(8, None), 3),
        (Speaks::Grpc, Answer::Partial(2), 2),
        (Speaks::Http, Answer::Status(400, None), 3),
        (Speaks::Http, Answer::Partial(2), 2),
    ] {
        let collector = Collector::start(speaks, [refusal]);
        let exporter = start(collector.url(), speaks);
        exporter.send(call());
        until("it is not counted", || !dropped(&exporter).is_empty());
        let before = collector.until("spans", |came| Some(came.spans().len()));
        exporter.send(call());
        collector.spans(before + 3);
        assert_eq!(dropped(&exporter), [("spans_rejected", lost)], "{refusal:?}");
    }
}

#[test]
fn a_stalled_collector_costs_spans_and_no_time() {
    for speaks in BOTH {
        let collector = Collector::stalled(speaks);
        let exporter = start(collector.url(), speaks);
        (0..10_000).for_each(|_| exporter.send(call()));
        assert!(exporter.dropped(Reason::QueueFull) > 0);
        collector.until("a request", |came| (came.requests > 0).then_some(()));
        finish(&exporter);
        let counts = dropped(&exporter);
        let total: u64 = counts.iter().map(|(_, spans)| spans).sum();
        assert_eq!(total, 30_000, "every span is accounted for: {counts:?}");
        exporter.send(call());
        let ended = exporter.dropped(Reason::Ended);
        assert_eq!(ended + exporter.dropped(Reason::QueueFull), 30_003, "after the end, too");
    }
}

#[test]
fn what_waits_takes_a_bounded_number_of_bytes() {
    let collector = Collector::stalled(Speaks::Grpc);
    let exporter = start(collector.url(), Speaks::Grpc);
    let long = "n".repeat(64 * 1024);
    let mut record = record(&Peer::Unknown);
    record.request_id = &long;
    let call = TracedCall::of(&record).expect("it is sampled");
    // The first batches are on their way; far fewer than 4096 calls have room after that.
    (0..1000).for_each(|_| exporter.send(call.clone()));
    assert!(exporter.shared.waiting.load(Ordering::Relaxed) <= MOST_BYTES);
    assert!(exporter.dropped(Reason::QueueFull) > 0);
}

#[test]
fn a_collector_that_comes_later_gets_what_waited() {
    for speaks in BOTH {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = port.local_addr().expect("an address");
        drop(port);
        let exporter = start(format!("http://{address}"), speaks);
        exporter.send(call());
        let collector = Collector::again(address, speaks);
        collector.spans(3);
        // It leaves, and another one comes in its place.
        drop(collector);
        exporter.send(call());
        let collector = Collector::again(address, speaks);
        collector.spans(3);
        assert_eq!(dropped(&exporter), [], "{speaks:?}");
    }
}

#[test]
fn the_end_sends_what_waits() {
    for speaks in BOTH {
        let collector = Collector::start(speaks, []);
        let exporter = start(collector.url(), speaks);
        (0..200).for_each(|_| exporter.send(call()));
        exporter.metrics(Vec::new());
        finish(&exporter);
        let spans = collector.until("requests", |came| Some(came.spans().len()));
        assert_eq!((spans, dropped(&exporter)), (600, vec![]), "{speaks:?}");
        assert_eq!(collector.until("metrics", |came| Some(came.metrics.len())), 1);
    }
}

#[test]
fn a_thread_whose_last_user_is_gone_ends() {
    let collector = Collector::start(Speaks::Grpc, []);
    let exporter = start(collector.url(), Speaks::Grpc);
    exporter.send(call());
    let ended = exporter.ended.clone();
    drop(exporter);
    until("the thread goes on", || ended.has_changed().is_err());
    collector.spans(3);
}

#[test]
fn a_url_that_is_none_is_an_error_at_the_start() {
    let (endpoint, protocol) = ("http://".to_owned(), OtlpProtocol::Grpc);
    let config =
        OtlpConfig { endpoint, protocol, trace_sample: 0.0, metrics_interval: Duration::ZERO };
    let error = Exporter::start(&config, Resource::of_process("ml")).expect_err("refused");
    assert!(error.to_string().starts_with("otlp_endpoint: "), "{error}");
}
