use std::collections::BTreeMap;

use dirtyd_client::proto::worker::{
    CancelReason, ErrorKind, GaugeMerge, Metric, MetricKind, Shutdown, arbiter_frame,
    worker_frame::Kind,
};

use crate::{arbiter::Arbiter, runtime::Runtime};

fn ready(runtime: &Runtime) -> Arbiter {
    Arbiter::ready_with(runtime, "metrics", |_| {})
}

/// The metrics of the next frame.
fn metrics(arbiter: &mut Arbiter) -> Vec<Metric> {
    match arbiter.next() {
        Kind::Metrics(metrics) => metrics.metrics,
        other => panic!("expected Metrics, got {other:?}"),
    }
}

/// What the counter of the contract has gained, by its label `kind`.
fn gained(metrics: &[Metric]) -> BTreeMap<String, f64> {
    let counted = metrics.iter().filter(|metric| metric.name == "counted");
    let mut gained = BTreeMap::new();
    for series in counted.flat_map(|metric| &metric.series) {
        let labels: Vec<_> = series.labels.iter().collect();
        let [(name, kind)] = labels[..] else { panic!("the labels are {labels:?}") };
        assert_eq!(name, "kind");
        *gained.entry(kind.clone()).or_default() += series.value;
    }
    gained
}

fn measure(arbiter: &mut Arbiter, amount: i64, kind: &str) {
    let id = arbiter.call("measure", [(amount as f64).into(), kind.into()]);
    arbiter.result(id);
}

pub fn what_a_call_counts_arrives_once_with_its_labels(runtime: &Runtime) {
    let mut arbiter = ready(runtime);
    measure(&mut arbiter, 3, "a");
    assert_eq!(gained(&metrics(&mut arbiter)), BTreeMap::from([("a".to_owned(), 3.0)]));
    measure(&mut arbiter, 4, "b");
    assert_eq!(gained(&metrics(&mut arbiter)), BTreeMap::from([("b".to_owned(), 4.0)]));
    arbiter.ping(1);
}

pub fn each_kind_has_its_definition(runtime: &Runtime) {
    let mut arbiter = ready(runtime);
    measure(&mut arbiter, 1, "a");
    let id = arbiter.call("measure_all", [1.5.into()]);
    let mut seen = BTreeMap::new();
    let mut is_answered = false;
    while seen.len() < 3 || !is_answered {
        match arbiter.next() {
            Kind::Response(response) => is_answered = response.call_id == id,
            Kind::Metrics(metrics) => {
                seen.extend(
                    metrics.metrics.into_iter().map(|metric| (metric.name.clone(), metric)),
                );
            }
            other => panic!("expected Metrics and the Response, got {other:?}"),
        }
    }
    let [counted, level, step] = ["counted", "level", "step"].map(|name| &seen[name]);
    assert_eq!((counted.kind(), counted.unit.as_str()), (MetricKind::Counter, "things"));
    assert_eq!(counted.help, "What the suite counts");
    assert_eq!((level.kind(), level.merge()), (MetricKind::Gauge, GaugeMerge::Max));
    assert_eq!(level.series[0].value, 1.5);
    assert_eq!((step.kind(), step.bounds.as_slice()), (MetricKind::Histogram, &[1.0, 2.0][..]));
    assert_eq!((step.series[0].value, step.series[0].counts.as_slice()), (1.5, &[0, 1, 0][..]));
}

pub fn a_busy_call_holds_nothing_back(runtime: &Runtime) {
    let mut arbiter = ready(runtime);
    let id = arbiter.call("measure_and_be_busy", [2.0.into(), 600.0.into()]);
    assert_eq!(gained(&metrics(&mut arbiter)), BTreeMap::from([("busy".to_owned(), 2.0)]));
    arbiter.cancel(id, CancelReason::Timeout);
    arbiter.failure(id, ErrorKind::Cancelled);
}

/// With what close() counts.
pub fn what_is_unsent_comes_before_the_exit(runtime: &Runtime) {
    let mut arbiter = ready(runtime);
    measure(&mut arbiter, 5, "a");
    arbiter.send(arbiter_frame::Kind::Shutdown(Shutdown {}));
    let mut all = Vec::new();
    for frame in arbiter.rest() {
        match frame {
            Kind::Metrics(metrics) => all.extend(metrics.metrics),
            other => panic!("expected Metrics, got {other:?}"),
        }
    }
    let expected = [("a".to_owned(), 5.0), ("close".to_owned(), 1.0)];
    assert_eq!(gained(&all), BTreeMap::from(expected));
    assert_eq!(arbiter.exit(), 0);
}
